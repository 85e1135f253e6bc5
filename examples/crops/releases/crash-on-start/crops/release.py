NAME = "crash-on-start"
