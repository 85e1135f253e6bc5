"""The SQL that shows locks and tables, for each kind of database."""

# ruff: noqa: S608 - the names in our SQL are our own

from __future__ import annotations

# The tables of the gate and of the record of migrations do not count.
NOT_OURS = "NOT IN ('django_migrations', 'lightgate_attempt')"
USERS = f"""c.relnamespace NOT IN (SELECT oid FROM pg_namespace
WHERE nspname ~ '^(pg_|information_schema$)') AND c.relname {NOT_OURS}"""
# Each lock that may keep queries waiting: the session, empty if its name shows that it is one of
# the command; its transaction; the table; the mode.
PG_LOCKS = f"""SELECT CASE a.application_name WHEN %s THEN '' ELSE a.pid::text END,
l.virtualtransaction, c.oid::regclass::text, l.mode
FROM pg_locks l JOIN pg_stat_activity a ON a.pid = l.pid JOIN pg_class c ON c.oid = l.relation
WHERE l.locktype = 'relation' AND l.granted AND a.datname = current_database()
AND a.pid <> pg_backend_pid() AND c.relkind IN ('r', 'p', 'm')
AND l.mode NOT IN ('AccessShareLock', 'RowShareLock') AND {USERS}"""
# Each table: its file, its rows as last counted, and how many were changed so far.
PG_TABLES = f"""SELECT c.oid::bigint, c.oid::regclass::text, c.relfilenode::bigint,
coalesce(nullif(greatest(c.reltuples, 0), 0), s.n_live_tup)::bigint,
(s.n_tup_ins + s.n_tup_upd + s.n_tup_del)::bigint
FROM pg_class c LEFT JOIN pg_stat_user_tables s ON s.relid = c.oid
WHERE c.relkind IN ('r', 'm') AND {USERS}"""
PG_BLOCKS = """SELECT c.oid::regclass::text,
ceil(pg_relation_size(c.oid) / current_setting('block_size')::float8)::bigint
FROM pg_class c WHERE c.oid = to_regclass(%s) AND c.relkind IN ('r', 'm')"""
PG_CHUNK = "SELECT count(*) FROM {} WHERE ctid >= '({},0)' AND ctid < '({},0)'"
# On MySQL whether the server shows metadata locks, and the query. Both may be missing or forbidden.
MY_LOCKS = (
    (
        """SELECT 1 FROM performance_schema.setup_instruments WHERE @@performance_schema
AND name = 'wait/lock/metadata/sql/mdl' AND enabled = 'YES'""",
        f"""SELECT t.processlist_id, '', m.object_name, m.lock_type
FROM performance_schema.metadata_locks m
JOIN performance_schema.threads t ON t.thread_id = m.owner_thread_id
WHERE m.lock_status = 'GRANTED' AND m.object_type = 'TABLE' AND m.object_schema = database()
AND m.object_name {NOT_OURS}""",
    ),
    (
        "SELECT count(*) + 1 FROM information_schema.metadata_lock_info",
        f"""SELECT thread_id, '', table_name, replace(lock_mode, 'MDL_', '')
FROM information_schema.metadata_lock_info WHERE lock_type = 'Table metadata lock'
AND table_schema = database() AND table_name {NOT_OURS}""",
    ),
)
MY_MODES = "EXCLUSIVE SHARED_NO_READ_WRITE SHARED_NO_WRITE SHARED_READ_ONLY SHARED_WRITE"
