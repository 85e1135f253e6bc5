NAME = "wrong-port"
