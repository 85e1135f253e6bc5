NAME = "unhealthy"
