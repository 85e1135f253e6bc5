"""The sizes of tables, as the server estimates them."""

# The tables with at least so many rows, and their bytes, by what the server last counted. A query
# for their real size would wait for a session that has locked them.
SIZES = {
    "postgresql": """SELECT * FROM (SELECT c.relname,
coalesce(nullif(greatest(c.reltuples, 0), 0), s.n_live_tup)::bigint n,
c.relpages::bigint * 8192 FROM pg_class c LEFT JOIN pg_stat_all_tables s ON s.relid = c.oid
WHERE c.relkind IN ('r', 'p') AND pg_table_is_visible(c.oid)) t WHERE n >= %s""",
    "mysql": """SELECT table_name, table_rows, data_length + index_length
FROM information_schema.tables WHERE table_schema = database() AND table_rows >= %s""",
}
