"""What an app's owner writes, and every way in which it can be wrong."""
