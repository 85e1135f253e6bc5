NAME = "fails-later"
