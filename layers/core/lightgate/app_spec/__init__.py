"""What an app's owner has written, as values, and what follows from them alone."""
