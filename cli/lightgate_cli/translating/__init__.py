"""From what somebody has, such as a compose file, to a spec and to what is not in it."""
