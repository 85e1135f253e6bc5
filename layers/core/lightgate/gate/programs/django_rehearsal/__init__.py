"""What the Django helper gets in a rehearsal in the place of the classifier."""
