from tests.local.fixtures import database, database_server

__all__ = ["database", "database_server"]
