NAME = "default-only"
