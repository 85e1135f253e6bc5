"""What is valid in an app spec and does not work as meant: one small function for each rule."""
