NAME = "additive"
