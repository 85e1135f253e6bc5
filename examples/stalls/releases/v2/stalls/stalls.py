"""The rows of the table `stall`, with what each one sells."""

from sqlalchemy import text


def latest(connection):
    rows = connection.execute(
        text("SELECT place, keeper, goods FROM stall ORDER BY id DESC LIMIT 20")
    )
    return [dict(row._mapping) for row in rows]


def add(connection, stall):
    insert = text("INSERT INTO stall (place, keeper, goods) VALUES (:place, :keeper, :goods)")
    values = {"place": stall["place"], "keeper": stall["keeper"], "goods": stall.get("goods")}
    connection.execute(insert, values)
