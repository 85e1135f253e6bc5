"""The stalls of a market over HTTP, in PostgreSQL."""

import os

from flask import Flask, Response, request

from stalls.database import connect
from stalls.release import RELEASE
from stalls.stalls import add, latest

app = Flask(__name__)


@app.after_request
def say_release(response: Response) -> Response:
    response.headers["X-Release"] = os.environ.get("LIGHTGATE_RELEASE", "")
    return response


@app.get("/")
def show():
    with connect() as connection:
        return {"release": RELEASE, "stalls": latest(connection)}


@app.post("/")
def create():
    with connect() as connection:
        add(connection, request.get_json())
    return {}, 201


@app.get("/healthz")
def healthz():
    with connect() as connection:
        latest(connection)
    return {}
