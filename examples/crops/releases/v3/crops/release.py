NAME = "v3"
