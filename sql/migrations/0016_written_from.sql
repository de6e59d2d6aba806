-- From when on every bar has a partition. Old partitions may be detached: what is older than this is refused (`too_old`), and a record
-- of then does not stop the stream. The oldest month that is attached is only read: its first week began before it, and so did, east of
-- Greenwich, its first session and the month itself.
CREATE FUNCTION core.written_from() RETURNS timestamptz
    LANGUAGE sql STABLE SET search_path = pg_catalog SET timezone = 'UTC' AS $$
WITH bound AS (
    SELECT i.inhparent AS parent,
           CASE WHEN b.text[1] = 'MINVALUE' THEN '-infinity' ELSE trim('''' FROM b.text[1])::timestamptz END AS first,
           trim('''' FROM b.text[2])::timestamptz AS behind
    FROM pg_inherits i
    JOIN pg_class c ON c.oid = i.inhrelid
    CROSS JOIN LATERAL (SELECT regexp_match(pg_get_expr(c.relpartbound, c.oid), 'FROM \((.*?)\) TO \((.*?)\)') AS text) b
    WHERE i.inhparent IN ('core.bars'::regclass, 'core.indicators'::regclass) AND NOT i.inhdetachpending
), edge AS (
    -- Where nothing is attached below: the newest of them, should a month in the middle be missing.
    SELECT max(b.first) AS at FROM bound b
    WHERE NOT EXISTS (SELECT FROM bound o WHERE o.parent = b.parent AND o.behind = b.first)
)
SELECT CASE WHEN at = '-infinity' THEN at ELSE at + interval '1 month' END FROM edge
$$;
