-- As of: what the tables said at a time (`seen`), or what was true at it by event time (`event`).

CREATE TYPE v1.as_of_mode AS ENUM ('seen', 'event');

-- `updated_at` and `superseded_at` are the times at which a transaction began; readers saw its rows only after it had committed.
-- A row here says when that was, for the transactions that closed or revised bars. It is written after the commit: where it is
-- missing (the writer died in between), the beginning counts. Transactions of the stream follow one another and never overlap.
CREATE TABLE core.commits (
    began_at     timestamptz PRIMARY KEY,
    committed_at timestamptz NOT NULL,
    CHECK (began_at <= committed_at)
);

CREATE VIEW v1.commits AS
SELECT began_at, committed_at FROM core.commits;

-- The newest transaction time that a reader could see at `at`: just before a transaction that was still running then.
CREATE FUNCTION v1.seen_through(at timestamptz) RETURNS timestamptz
    LANGUAGE sql STABLE PARALLEL SAFE AS $$
SELECT coalesce(
    (SELECT CASE WHEN c.committed_at > at THEN c.began_at - interval '1 microsecond' ELSE at END
     FROM v1.commits c WHERE c.began_at <= at ORDER BY c.began_at DESC LIMIT 1),
    at)
$$;

-- The closed bars of a series as of `at`. One ordered walk over the bars, with a probe of the revisions only for a bar that
-- changed after `at`: PostgreSQL inlines the function, so that a caller's `ts >= ...` and `ORDER BY ts DESC LIMIT n` reach the
-- index. For that it must stay plain SQL: one SELECT, no SECURITY DEFINER, no SET.
CREATE FUNCTION v1.bars_as_of(of_symbol text, of_timeframe text, at timestamptz, in_mode v1.as_of_mode)
    RETURNS TABLE (
        symbol text, timeframe text, ts timestamptz, bar_end timestamptz, session_date date, session text,
        open double precision, high double precision, low double precision, close double precision, volume double precision,
        mean_price double precision, revision integer, source text, event_time timestamptz, received_at timestamptz,
        known_since timestamptz, superseded_at timestamptz, inputs text, mode v1.as_of_mode, as_of timestamptz
    )
    LANGUAGE sql STABLE PARALLEL SAFE ROWS 1000 AS $$
SELECT b.symbol, b.timeframe, b.ts, b.bar_end, b.session_date, b.session,
       coalesce(r.open, b.open), coalesce(r.high, b.high), coalesce(r.low, b.low), coalesce(r.close, b.close),
       CASE WHEN r.revision IS NULL THEN b.volume ELSE r.volume END,
       coalesce((r.open + r.high + r.low + r.close) / 4, b.mean_price),
       coalesce(r.revision, b.revision), coalesce(r.source, b.source), coalesce(r.event_time, b.event_time),
       coalesce(r.received_at, b.received_at), coalesce(r.updated_at, b.updated_at), r.superseded_at,
       coalesce(r.inputs, b.inputs),
       in_mode, at
FROM v1.bars b
LEFT JOIN LATERAL (
    SELECT o.revision, o.open, o.high, o.low, o.close, o.volume, o.source, o.event_time, o.received_at, o.updated_at,
           o.superseded_at, o.inputs
    FROM v1.bar_revisions o
    WHERE in_mode = 'seen' AND b.updated_at > (SELECT v1.seen_through(at))
      AND o.symbol = b.symbol AND o.timeframe = b.timeframe AND o.ts = b.ts
      AND o.updated_at <= (SELECT v1.seen_through(at)) AND o.superseded_at > (SELECT v1.seen_through(at))
) r ON true
WHERE b.symbol = of_symbol AND b.timeframe = of_timeframe
  AND b.ts <= at  -- no bar is closed before it begins
  AND CASE in_mode WHEN 'seen' THEN r.revision IS NOT NULL OR (b.is_closed AND b.updated_at <= (SELECT v1.seen_through(at)))
              ELSE b.is_closed AND b.bar_end <= at END
$$;

-- The kernel's recursive state after a closed bar (market/indicators.py names the slots): where an indicator is computed as of a
-- time, it goes on from here. Its slots change with the kernel.
CREATE VIEW v1.indicator_states AS
SELECT symbol, timeframe, ts, state FROM core.indicators WHERE state IS NOT NULL;
