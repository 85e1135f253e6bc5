"""The SQL of the lock, of the attempts and of the schema, for each kind of database."""

# ruff: noqa: S608 - the names in our SQL are our own

from __future__ import annotations

import re

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
OUR_TABLES = ["django_migrations", TABLE]
PG_SESSION = """SELECT a.pid, a.application_name,
extract(epoch FROM clock_timestamp() - a.xact_start)::int FROM pg_stat_activity a """
PG_BUSY = f"""{PG_SESSION} WHERE a.datname = current_database() AND a.pid <> pg_backend_pid()
AND a.application_name LIKE 'lightgate:%'"""
MY_SESSION = "SELECT DISTINCT p.id, p.user, p.time FROM information_schema.processlist p "
MY_LOCK = "left(concat('lightgate:', database()), 64)"
# The schema is read from the catalogue alone. A function that opens a table, as
# pg_get_constraintdef does, would wait for a session that has locked it.
PG_SCHEMA = re.sub(
    r"@(\w+)",
    # Where an expression stood in its statement does not belong to it.
    r"regexp_replace(\1::text, ':location -?[0-9]+', '', 'g')",
    f"""WITH o AS (SELECT oid o, relkind, oid::regclass::text t FROM pg_class
WHERE relnamespace NOT IN (SELECT oid FROM pg_namespace
WHERE nspname ~ '^(pg_|information_schema$)')
AND relname !~ '^({TABLE}|django_migrations)')
SELECT 'table', t, '', relkind::text FROM o WHERE relkind NOT IN ('i', 'I') UNION ALL
SELECT 'column', t, attname,
concat_ws(';', format_type(atttypid, atttypmod), attcollation, attnotnull, @adbin)
FROM o JOIN pg_attribute ON attrelid = o LEFT JOIN pg_attrdef
ON adrelid = o AND adnum = attnum WHERE attnum > 0 AND NOT attisdropped
AND relkind NOT IN ('i', 'I', 'S') UNION ALL
SELECT CASE WHEN indisvalid THEN 'index' ELSE 'invalid index' END, indrelid::regclass::text, t,
concat_ws(';', indkey, indisunique, @indexprs, @indpred) FROM o JOIN pg_index ON indexrelid = o
UNION ALL SELECT 'constraint', t, conname, concat_ws(';', contype, conkey, confrelid, confkey,
confdeltype, convalidated, @conbin) FROM o JOIN pg_constraint ON conrelid = o""",
)
MY_SCHEMA = " UNION ALL ".join(
    f"SELECT '{what}, {detail} FROM information_schema.{source} WHERE table_schema = database()"
    for what, detail, source in (
        ("table', table_name, ''", "engine", "tables"),
        (
            "column', table_name, column_name",
            "concat_ws(';', column_type, collation_name, is_nullable, column_default, extra)",
            "columns",
        ),
        (
            "index', table_name, index_name",
            "concat(seq_in_index, non_unique, coalesce(column_name, ''), coalesce(sub_part, ''))",
            "statistics",
        ),
        ("constraint', table_name, constraint_name", "constraint_type", "table_constraints"),
    )
)
# Where the server shows who holds the lock of a table. Both may be missing or not allowed.
MY_TABLE_LOCKS = (
    """JOIN performance_schema.threads t ON t.processlist_id = p.id JOIN
performance_schema.metadata_locks m ON m.owner_thread_id = t.thread_id
WHERE m.lock_status = 'GRANTED' AND m.object_schema = database() AND m.object_name""",
    """JOIN information_schema.metadata_lock_info m ON m.thread_id = p.id
WHERE m.table_schema = database() AND m.table_name""",
)
# The same for rows that these sessions wait for. MariaDB asks for the right PROCESS, MySQL for that
# to read performance_schema.
MY_ROW_LOCKS = (
    """JOIN performance_schema.threads t ON t.processlist_id = p.id JOIN
performance_schema.data_lock_waits w ON w.blocking_thread_id = t.thread_id JOIN
performance_schema.threads r ON r.thread_id = w.requesting_thread_id WHERE r.processlist_id""",
    """JOIN information_schema.innodb_trx t ON t.trx_mysql_thread_id = p.id JOIN
information_schema.innodb_lock_waits w ON w.blocking_trx_id = t.trx_id JOIN
information_schema.innodb_trx r ON r.trx_id = w.requesting_trx_id WHERE r.trx_mysql_thread_id""",
)
# The transactions that have been open for so many seconds, with the tables that they have locked
# and their statements. PostgreSQL hides those of other roles, and MySQL asks for the right PROCESS.
OPEN = {
    "postgresql": """SELECT a.pid, a.application_name,
extract(epoch FROM clock_timestamp() - a.xact_start)::int, string_agg(DISTINCT c.relname, ', '),
left(a.query, 200) FROM pg_stat_activity a JOIN pg_locks l USING (pid)
JOIN pg_class c ON c.oid = l.relation WHERE a.datname = current_database() AND l.granted
AND a.pid <> pg_backend_pid() AND a.xact_start < clock_timestamp() - %s * interval '1 second'
AND c.relname = ANY(%s) GROUP BY a.pid, 2, 3, 5 ORDER BY 3 DESC LIMIT 5""",
    "mysql": """SELECT p.id, p.user, timestampdiff(SECOND, t.trx_started, now()), '',
left(coalesce(t.trx_query, ''), 200) FROM information_schema.innodb_trx t
JOIN information_schema.processlist p ON p.id = t.trx_mysql_thread_id
WHERE p.db = database() AND p.id <> connection_id()
AND t.trx_started <= now() - INTERVAL %s SECOND AND %s <> '' ORDER BY 3 DESC LIMIT 5""",
}
# Otherwise a session on the database that runs a statement is suspected.
MY_SUSPECTS = "WHERE p.db = database() AND p.command <> 'Sleep'"
# Each session: id, name, seconds of its statement, what tells it from later ones with this id,
# address and port of its client, whether it is our own, whether it waits for a lock, its statement.
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
        "locked tables": f"""{PG_SESSION} JOIN pg_locks l USING (pid) WHERE l.granted
AND a.datname = current_database() AND l.relation IN (to_regclass('django_migrations'),
to_regclass('{TABLE}')) AND l.mode ~ '^(AccessExclusive|ShareRowExclusive|Exclusive|Share)Lock'""",
        "sessions": """SELECT pid, application_name, NULL, backend_start::text,
concat(client_addr, ':', client_port), pid = pg_backend_pid(), '', '' FROM pg_stat_activity""",
        "end": "SELECT pg_terminate_backend(%s)",
        "schema": PG_SCHEMA,
    },
    "mysql": {
        "take": f"SELECT get_lock({MY_LOCK}, 0)",
        "keep": f"SELECT is_used_lock({MY_LOCK}) = connection_id()",
        "holder": f"{MY_SESSION} WHERE p.id = is_used_lock({MY_LOCK})",
        "sessions": """SELECT id, user, time, host, host, id = connection_id(),
CASE WHEN state LIKE 'Waiting for %lock' THEN state ELSE '' END,
CASE WHEN user = substring_index(user(), '@', 1) AND db = database() THEN left(info, 400) END
FROM information_schema.processlist""",
        "end": "KILL %s",
        "schema": MY_SCHEMA,
    },
    "sqlite": {
        "take": "SELECT 1",
        "keep": "SELECT 1",
        "schema": "SELECT type, tbl_name, name, sql FROM sqlite_master",
    },
}
