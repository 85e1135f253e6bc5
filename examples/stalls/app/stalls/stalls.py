"""The rows of the table `stall`."""

from sqlalchemy import text


def latest(connection):
    rows = connection.execute(text("SELECT place, keeper FROM stall ORDER BY id DESC LIMIT 20"))
    return [dict(row._mapping) for row in rows]


def add(connection, stall):
    insert = text("INSERT INTO stall (place, keeper) VALUES (:place, :keeper)")
    connection.execute(insert, {"place": stall["place"], "keeper": stall["keeper"]})
