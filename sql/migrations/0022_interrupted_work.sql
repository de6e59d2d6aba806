-- A word about work that is not done yet counts as long as who said it lives (ingestion/tables.py): a task that was killed left "ok".
ALTER TABLE core.service_status ADD COLUMN is_at_work boolean NOT NULL DEFAULT false;

-- How each process is: `age_s` is the age of its last word in seconds. The stream's row `spark` is written at least every 5 s.
CREATE OR REPLACE VIEW v1.service_status AS
SELECT name, CASE WHEN w.is_interrupted THEN 'interrupted' ELSE state END AS state,
       CASE WHEN w.is_interrupted THEN 'ended before it was done; its last word: ' || detail ELSE detail END AS detail,
       heartbeat_at, extract(epoch FROM now() - heartbeat_at) AS age_s
FROM core.service_status
CROSS JOIN LATERAL (
    -- The lock of who is at work, whose two keys pg_locks shows without their sign.
    SELECT is_at_work AND NOT EXISTS (
        SELECT FROM pg_locks
        WHERE locktype = 'advisory' AND granted AND objsubid = 2
          AND database = (SELECT oid FROM pg_database WHERE datname = current_database())
          AND classid::bigint = hashtext('candlestream at work')::bigint & 4294967295
          AND objid::bigint = hashtext(name)::bigint & 4294967295
    ) AS is_interrupted
) w;
