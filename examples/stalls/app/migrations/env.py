"""How Alembic reaches the database. The lock lets one node migrate, and the others wait."""

from alembic import context
from sqlalchemy import text
from stalls.database import connect

_LOCK = 7_200_411

with connect() as connection:
    connection.execute(text("SELECT pg_advisory_xact_lock(:lock)"), {"lock": _LOCK})
    context.configure(connection=connection)
    with context.begin_transaction():
        context.run_migrations()
