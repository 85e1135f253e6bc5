"""The environment of the command: a name for its sessions, and limits for them."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING, Any

from lightgate.gate.programs.django_helper.sql import KEEPALIVE

if TYPE_CHECKING:
    from lightgate.gate.programs.django_helper.database import Database
    from lightgate.gate.programs.django_helper.plan import Plan
    from lightgate.gate.programs.django_helper.sessions import Sessions


def choose_environment(
    database: Database, sessions: Sessions, plan: Plan, /
) -> tuple[dict[str, Any], dict[str, Any]]:
    """The environment, and what the event `locked` says of the limit for locks.

    The limit also applies to row locks, and CREATE INDEX CONCURRENTLY leaves an invalid index
    when it strikes. So only plans that are undone as a whole and change no data get it. A pooler
    refuses it, and the settings' own options replace it silently. So it is tried first. On MySQL
    the helper itself ends a wait, see `Helper.limit_wait`.
    """
    if database.db.vendor != "postgresql":
        limit = {"seconds": None, "why": "the sessions of the command cannot be told from others"}
        if database.db.vendor == "mysql" and sessions.can_be_known():
            limit = {"seconds": database.config["lockTimeoutSeconds"]}
        return {"environment": sessions.mark, "options": {}}, limit
    limits = dict(KEEPALIVE, client_connection_check_interval=500)
    proof = "client_connection_check_interval"
    why: str | None = "not all atomic, or not only schema"
    if plan.migrations and plan.is_atomic and not plan.operations("data", "unknown"):
        proof, why = "lock_timeout", None
        limits[proof] = round(database.config["lockTimeoutSeconds"] * 1000)
    known = {row[0] for row in database.rows("SELECT name FROM pg_settings")}
    ours = ["-c %s=%s" % item for item in limits.items() if item[0] in known]
    # The user's own options come later, and so prevail.
    options = {"PGOPTIONS": " ".join([*ours, os.environ.get("PGOPTIONS", "")]).strip()}
    name = {"PGAPPNAME": ("lightgate:%s:%s" % database.who)[:63]}
    shown = probe(database, dict(name, **options), proof)
    works = shown[1:] == [str(limits[proof])]
    if not works:
        why = why or "a pooler, the environment or the settings set options of their own"
        shown = probe(database, name, proof)
    seconds = limits[proof] / 1000 if works and not why else None
    run = {"environment": {**name, **sessions.mark}, "options": options if works else {}}
    return run, {"seconds": seconds, "why": why, "named": shown[:1] == [name["PGAPPNAME"]]}


def probe(database: Database, environment: dict[str, str], setting: str) -> list[str]:
    """The name and the setting that the sessions of a command with this environment have."""
    before = {key: os.environ.get(key) for key in environment}
    os.environ.update(environment)
    connection = database.db.copy()
    try:
        sql = "SELECT current_setting('application_name'), setting FROM pg_settings"
        sql += " WHERE name = %s"
        return list(database.rows(sql, [setting], connection)[0])
    except Exception:  # noqa: BLE001 - what does not work is not used
        return []
    finally:
        connection.close()
        for key, value in before.items():
            os.environ.pop(key)
            if value is not None:
                os.environ[key] = value
