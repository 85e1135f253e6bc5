"""Reading an app spec: every way in which it can be wrong, all named at once."""
