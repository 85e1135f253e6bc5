"""Django's settings in a worker, and what its version and the server can do."""

import os
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

import django
from django.conf import settings
from django.utils import timezone

_NOW = datetime(2026, 1, 1, tzinfo=UTC)


@dataclass(frozen=True)
class Abilities:
    """What a random model may use."""

    vendor: str
    version: tuple[int, int]
    extensions: frozenset[str]
    """Those that the database has."""
    installable: frozenset[str]
    """Those that `CreateExtension` can add."""

    @property
    def is_postgresql(self) -> bool:
        return self.vendor == "postgresql"

    @property
    def has_db_default(self) -> bool:
        return self.version >= (5, 0)

    @property
    def has_generated(self) -> bool:
        return self.version >= (5, 0)

    @property
    def has_composite_keys(self) -> bool:
        return self.version >= (5, 2)

    @property
    def has_db_on_delete(self) -> bool:
        return self.version >= (6, 1)

    @property
    def has_decimals_without_digits(self) -> bool:
        return self.version >= (6, 1) and self.is_postgresql


def set_up(database: dict[str, Any]) -> None:
    is_postgresql = database["ENGINE"].endswith("postgresql")
    os.environ["TZ"] = "UTC"
    if not is_postgresql:
        import pymysql  # type: ignore[import-untyped]

        pymysql.version_info = (2, 2, 8, "final", 0)
        pymysql.install_as_MySQLdb()
        # A world is built again for each plan there, and its rows must be the same.
        database["OPTIONS"]["init_command"] = f"SET timestamp = {int(_NOW.timestamp())}"
        timezone.now = lambda: _NOW
    settings.configure(
        DATABASES={"default": database},
        INSTALLED_APPS=["django.contrib.postgres"] if is_postgresql else [],
        DEFAULT_AUTO_FIELD="django.db.models.BigAutoField",
        USE_TZ=True,
        SECRET_KEY="fuzz",
        SILENCED_SYSTEM_CHECKS=["models.W042"],
    )
    django.setup()


def abilities(connection: Any) -> Abilities:
    has: set[str] = set()
    can: set[str] = set()
    if connection.vendor == "postgresql":
        with connection.cursor() as cursor:
            cursor.execute(
                "SELECT name, installed_version IS NOT NULL FROM pg_available_extensions"
            )
            for name, is_installed in cursor.fetchall():
                (has if is_installed else can).add(name)
    version = django.VERSION
    return Abilities(connection.vendor, version[:2], frozenset(has), frozenset(can))
