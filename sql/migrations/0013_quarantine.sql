-- Cross-checks: what the ledger compares, the symbols whose sources disagree, and what of it readers see.

-- The provider's own daily row of a session that is over. Where the platform has the session's minutes, core.bars rolls the day up
-- from them; this is what that is held against.
CREATE TABLE core.provider_days (
    symbol       text             NOT NULL,
    session_date date             NOT NULL,
    open         double precision NOT NULL,
    high         double precision NOT NULL,
    low          double precision NOT NULL,
    close        double precision NOT NULL,
    volume       double precision,
    fetched_at   timestamptz      NOT NULL,
    PRIMARY KEY (symbol, session_date)
) WITH (fillfactor = 70);

-- A row is a stay: from the look that found a disagreement to the one that found it gone.
CREATE TABLE core.quarantine (
    id           bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    symbol       text        NOT NULL,
    check_name   text        NOT NULL CHECK (check_name IN ('ticks', 'polls', 'day', 'split')),
    session_date date        NOT NULL,
    compared     integer     NOT NULL,
    disagreed    integer     NOT NULL CHECK (disagreed <= compared),
    detail       text        NOT NULL,
    entered_at   timestamptz NOT NULL DEFAULT now(),
    seen_at      timestamptz NOT NULL DEFAULT now(),
    -- When the session was last asked for again because of it.
    asked_at     timestamptz,
    left_at      timestamptz,
    left_because text        NOT NULL DEFAULT ''
);
CREATE UNIQUE INDEX quarantine_one_stay ON core.quarantine (symbol, check_name) WHERE left_at IS NULL;
CREATE INDEX quarantine_by_session ON core.quarantine (symbol, session_date);

CREATE VIEW v1.quarantine AS
SELECT id, symbol, check_name, session_date, compared, disagreed, detail, entered_at, seen_at, asked_at, left_at, left_because,
       left_at IS NULL AS is_in
FROM core.quarantine;

-- NULL where the provider's day was not compared with the minutes: not fetched yet, or minutes are missing.
ALTER TABLE core.session_ledger ADD COLUMN day_agrees boolean;

CREATE OR REPLACE VIEW v1.session_ledger AS
SELECT symbol, session_date, expected, present, pending, no_trade, provider_gap, throttled, our_outage, unconfirmed, closed,
       repaired, is_settled, checked_at, disagree, day_agrees
FROM core.session_ledger;

CREATE OR REPLACE VIEW v1.quality_scores AS
SELECT d.symbol, d.session_date, d.completeness, d.timeliness, d.validity, d.consistency, d.uniqueness,
       round((w.points / w.weight)::numeric, 2)::double precision AS score, w.worst, d.checked_at,
       (SELECT string_agg(k.check_name, ', ' ORDER BY k.check_name) FROM core.quarantine k
        WHERE k.symbol = d.symbol AND k.session_date = d.session_date AND k.left_at IS NULL) AS quarantine
FROM (
    SELECT l.symbol, l.session_date,
           v1.points(l.present + l.no_trade + l.closed, l.expected - l.pending) AS completeness,
           v1.points(q.ticks - q.late, q.ticks) AS timeliness,
           v1.points(l.present + coalesce(q.ticks, 0), l.present + coalesce(q.ticks, 0) + coalesce(q.dead_lettered, 0)) AS validity,
           v1.points((l.present - l.disagree) * CASE WHEN l.day_agrees THEN 1 WHEN l.day_agrees IS NULL THEN 1 ELSE 0.5 END,
                     l.present) AS consistency,
           v1.points(q.ticks, q.ticks + q.repeated) AS uniqueness,
           l.checked_at
    FROM core.session_ledger l
    LEFT JOIN core.quality q USING (symbol, session_date)
    WHERE l.expected > l.pending
) d
CROSS JOIN LATERAL (
    SELECT sum(p.points * p.weight) AS points, sum(p.weight) AS weight,
           (array_agg(p.name ORDER BY p.points, p.weight DESC))[1] AS worst
    FROM (VALUES ('completeness', d.completeness, 0.40), ('consistency', d.consistency, 0.20), ('validity', d.validity, 0.20),
                 ('timeliness', d.timeliness, 0.15), ('uniqueness', d.uniqueness, 0.05)) AS p (name, points, weight)
    WHERE p.points IS NOT NULL
) w;

CREATE OR REPLACE FUNCTION v1.worst_quality(days integer DEFAULT 30, most integer DEFAULT 20) RETURNS SETOF v1.quality_scores
    LANGUAGE sql STABLE
    BEGIN ATOMIC
        SELECT symbol, session_date, completeness, timeliness, validity, consistency, uniqueness, score, worst, checked_at, quarantine
        FROM v1.quality_scores
        WHERE session_date > current_date - days
        ORDER BY score, session_date DESC, symbol
        LIMIT most;
    END;

-- What was refused in the last day, up to a thousand: all, and those that no symbol's own counts tell of, because they name none or
-- one that is not known.
CREATE VIEW v1.refused AS
SELECT count(*) AS letters, count(*) FILTER (WHERE i.symbol IS NULL) AS of_no_symbol, count(*) > 1000 AS is_more
FROM (
    SELECT symbol FROM core.dead_letters WHERE created_at > now() - interval '1 day' ORDER BY created_at DESC LIMIT 1001
) d
LEFT JOIN core.instruments i ON i.symbol = d.symbol AND i.state = 'ok';

CREATE OR REPLACE FUNCTION core.tidy(letter_days integer, revision_days integer, ledger_days integer) RETURNS jsonb
    LANGUAGE plpgsql SET search_path = pg_catalog AS $$
DECLARE
    gone jsonb := '{}';
    n    bigint;
BEGIN
    DELETE FROM core.dead_letters WHERE created_at < now() - make_interval(days => letter_days);
    GET DIAGNOSTICS n = ROW_COUNT; gone := gone || jsonb_build_object('dead_letters', n);
    DELETE FROM core.bar_revisions WHERE superseded_at < now() - make_interval(days => revision_days);
    GET DIAGNOSTICS n = ROW_COUNT; gone := gone || jsonb_build_object('bar_revisions', n);
    DELETE FROM core.gaps WHERE ends_at < now() - make_interval(days => ledger_days) AND state <> 'open';
    GET DIAGNOSTICS n = ROW_COUNT; gone := gone || jsonb_build_object('gaps', n);
    DELETE FROM core.coverage WHERE session_date < current_date - ledger_days;
    GET DIAGNOSTICS n = ROW_COUNT; gone := gone || jsonb_build_object('coverage', n);
    DELETE FROM core.provider_trouble WHERE ends_at < now() - make_interval(days => ledger_days);
    GET DIAGNOSTICS n = ROW_COUNT; gone := gone || jsonb_build_object('provider_trouble', n);
    DELETE FROM core.provider_days WHERE session_date < current_date - ledger_days;
    GET DIAGNOSTICS n = ROW_COUNT; gone := gone || jsonb_build_object('provider_days', n);
    DELETE FROM core.quarantine WHERE left_at < now() - make_interval(days => ledger_days);
    GET DIAGNOSTICS n = ROW_COUNT; gone := gone || jsonb_build_object('quarantine', n);
    DELETE FROM core.control WHERE asked_at < now() - make_interval(days => ledger_days) AND state <> 'asked';
    GET DIAGNOSTICS n = ROW_COUNT; gone := gone || jsonb_build_object('control', n);
    RETURN gone;
END $$;
