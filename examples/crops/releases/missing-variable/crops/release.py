import os

NAME = "missing-variable"
WEATHER_API_KEY = os.environ["WEATHER_API_KEY"]
