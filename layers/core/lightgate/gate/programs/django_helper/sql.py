"""The SQL of the lock and of the attempts, for each kind of database."""

# ruff: noqa: S608 - the names in our SQL are our own

from __future__ import annotations

TABLE = "lightgate_attempt"
NAMESPACE = 1279743045  # of our advisory locks: "LGTE"
CREATE_TABLE = f"""CREATE TABLE {TABLE} (release_id varchar(128) NOT NULL,
container varchar(128) NOT NULL, state varchar(16) NOT NULL, detail text NOT NULL,
PRIMARY KEY (release_id, container))"""
# A node that was cut off must not keep the lock, and a limit of the role must not end it.
KEEPALIVE = {
    "tcp_keepalives_idle": 5,
    "tcp_keepalives_interval": 2,
    "tcp_keepalives_count": 3,
    "tcp_user_timeout": 13000,
}
NO_TIME_LIMITS = {
    "idle_in_transaction_session_timeout": 0,
    "statement_timeout": 0,
    "transaction_timeout": 0,
}
PG_SESSION = """SELECT a.pid, a.application_name,
extract(epoch FROM clock_timestamp() - a.xact_start)::int FROM pg_stat_activity a """
PG_BUSY = f"""{PG_SESSION} WHERE a.datname = current_database() AND a.pid <> pg_backend_pid()
AND a.application_name LIKE 'lightgate:%'"""
MY_SESSION = "SELECT id, user, time FROM information_schema.processlist WHERE "
MY_LOCK = "left(concat('lightgate:', database()), 64)"
ENGINES = {
    "postgresql": {
        "take": f"SELECT pg_try_advisory_xact_lock({NAMESPACE}, 1)",
        "keep": "SELECT 1",
        "holder": f"""{PG_SESSION} JOIN pg_locks l USING (pid) WHERE l.locktype = 'advisory'
AND l.classid = {NAMESPACE} AND l.objid = 1 AND l.granted AND a.datname = current_database()
AND l.database = (SELECT oid FROM pg_database WHERE datname = current_database())""",
        "busy": PG_BUSY,
        "busy in a pool": f"{PG_BUSY} AND a.state <> 'idle'",
        "blockers": f"""{PG_SESSION} WHERE a.pid IN (SELECT unnest(pg_blocking_pids(w.pid))
FROM pg_stat_activity w WHERE w.datname = current_database()
AND w.application_name LIKE 'lightgate:%')""",
    },
    "mysql": {
        "take": f"SELECT get_lock({MY_LOCK}, 0)",
        "keep": f"SELECT is_used_lock({MY_LOCK}) = connection_id()",
        "holder": f"{MY_SESSION} id = is_used_lock({MY_LOCK})",
        "busy": f"""{MY_SESSION} db = database() AND id <> connection_id()
AND info REGEXP '^ *(ALTER|CREATE|DROP|RENAME) '""",
    },
    "sqlite": {"take": "SELECT 1", "keep": "SELECT 1"},
}
FINGERPRINT = """SELECT md5(string_agg(x, ' ' ORDER BY x)) FROM (SELECT concat_ws(':', attrelid,
relname, relkind, attname, atttypid, atttypmod, attnotnull, atthasdef) x FROM pg_attribute
JOIN ours ON oid = attrelid UNION ALL SELECT concat(k.oid, pg_get_constraintdef(k.oid))
FROM pg_constraint k JOIN ours ON ours.oid = conrelid) t"""
FINGERPRINT = f"""WITH ours AS (SELECT oid, relname, relkind FROM pg_class WHERE relnamespace NOT IN
(SELECT oid FROM pg_namespace WHERE nspname ~ '^(pg_|information_schema$)')
AND relname !~ '^({TABLE}|django_migrations)') {FINGERPRINT}"""
