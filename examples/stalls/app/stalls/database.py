"""The connection that the app and its migrations share."""

import os
from functools import cache

import sqlalchemy


@cache
def engine() -> sqlalchemy.Engine:
    url = os.environ["DATABASE_URL"].replace("postgresql://", "postgresql+psycopg://", 1)
    return sqlalchemy.create_engine(url, pool_pre_ping=True)


def connect():
    """A transaction that is committed at the end."""
    return engine().begin()
