NAME = "v2.1"
