-- The gap ledger by evidence, quality scores from it, orders to the supervisor, reports of sessions, and retention.

-- What the provider's answers spoke for: minutes of a session that had ended and settled when they were asked for. A minute in here
-- that has no bar had none at the provider.
CREATE TABLE core.coverage (
    symbol       text            NOT NULL,
    session_date date            NOT NULL,
    covered      tstzmultirange  NOT NULL,
    fetched_at   timestamptz     NOT NULL,
    PRIMARY KEY (symbol, session_date)
) WITH (fillfactor = 70);

-- When each symbol was last asked about by the poll, answered or not.
CREATE TABLE core.polled (
    symbol     text PRIMARY KEY,
    minutes_at timestamptz,
    day_at     timestamptz
) WITH (fillfactor = 70);

-- When the provider would not answer us. One row as long as the trouble lasts.
CREATE TABLE core.provider_trouble (
    id        bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    kind      text        NOT NULL CHECK (kind IN ('throttled', 'refused', 'unreachable', 'malformed')),
    detail    text        NOT NULL DEFAULT '',
    tries     integer     NOT NULL DEFAULT 1,
    starts_at timestamptz NOT NULL DEFAULT now(),
    ends_at   timestamptz NOT NULL DEFAULT now(),
    CHECK (starts_at <= ends_at)
);
CREATE INDEX provider_trouble_by_end ON core.provider_trouble (ends_at);

-- A row of the ledger has a symbol, a session and a count of minutes; other rows (a feed's outage, a lost range) have none.
ALTER TABLE core.gaps ADD COLUMN session_date date, ADD COLUMN minutes integer;
CREATE INDEX gaps_by_session ON core.gaps (symbol, session_date) WHERE session_date IS NOT NULL;
CREATE INDEX gaps_by_time ON core.gaps (ends_at);

CREATE OR REPLACE VIEW v1.gaps AS
SELECT id, symbol, starts_at, ends_at, reason, detail, state, found_at, settled_at, session_date, minutes FROM core.gaps;

-- Each session as last checked: every expected minute has a bar or is counted under its reason.
CREATE TABLE core.session_ledger (
    symbol       text        NOT NULL,
    session_date date        NOT NULL,
    expected     integer     NOT NULL,
    present      integer     NOT NULL,
    pending      integer     NOT NULL,
    no_trade     integer     NOT NULL,
    provider_gap integer     NOT NULL,
    throttled    integer     NOT NULL,
    our_outage   integer     NOT NULL,
    unconfirmed  integer     NOT NULL,
    closed       integer     NOT NULL,
    repaired     integer     NOT NULL DEFAULT 0,
    is_settled   boolean     NOT NULL,
    checked_at   timestamptz NOT NULL DEFAULT now(),
    PRIMARY KEY (symbol, session_date),
    CHECK (expected = present + pending + no_trade + provider_gap + throttled + our_outage + unconfirmed + closed)
) WITH (fillfactor = 70);

CREATE VIEW v1.session_ledger AS
SELECT symbol, session_date, expected, present, pending, no_trade, provider_gap, throttled, our_outage, unconfirmed, closed,
       repaired, is_settled, checked_at
FROM core.session_ledger;

CREATE VIEW v1.provider_trouble AS
SELECT id, kind, detail, tries, starts_at, ends_at FROM core.provider_trouble;

-- Messages of the live feed that said what the one before them had said; counted by ingestion, which drops them.
ALTER TABLE core.quality ADD COLUMN repeated bigint NOT NULL DEFAULT 0;

CREATE OR REPLACE VIEW v1.quality AS
SELECT i.symbol, q.session_date, c.expected, c.present, greatest(c.expected - c.present, 0) AS missing,
       q.ticks, q.late, q.corrected, q.dead_lettered, q.note, q.updated_at, q.repeated
FROM core.instruments i
JOIN core.quality q USING (symbol)
LEFT JOIN core.sessions s ON s.calendar = i.calendar AND s.session_date = q.session_date
LEFT JOIN LATERAL (
    SELECT greatest(0, floor(extract(epoch FROM u.until - s.opens_at) / 60))::bigint
               - coalesce(floor(extract(epoch FROM least(u.until, s.break_end) - least(u.until, s.break_start)) / 60), 0)::bigint
               AS expected,
           (SELECT count(*) FROM core.bars b
            WHERE b.symbol = i.symbol AND b.timeframe = '1m' AND b.session = 'regular'
              AND b.ts >= s.opens_at AND b.bar_end <= u.until AND b.ts < s.closes_at) AS present
    FROM (SELECT least(now() - interval '5 seconds', s.closes_at) AS until) u
) c ON s.opens_at IS NOT NULL;

-- A share of what there is as points from 0 to 100; nothing to judge is NULL.
CREATE FUNCTION v1.points(good double precision, whole double precision) RETURNS double precision
    LANGUAGE sql IMMUTABLE PARALLEL SAFE
    RETURN CASE WHEN whole > 0 THEN round((100 * least(greatest(good / whole, 0), 1))::numeric, 2)::double precision END;

-- docs/quality.md has the formulas and their reasons. A dimension without anything to judge is left out of the score.
CREATE VIEW v1.quality_scores AS
SELECT d.symbol, d.session_date, d.completeness, d.timeliness, d.validity, d.consistency, d.uniqueness,
       round((w.points / w.weight)::numeric, 2)::double precision AS score, w.worst, d.checked_at
FROM (
    SELECT l.symbol, l.session_date,
           v1.points(l.present + l.no_trade + l.closed, l.expected - l.pending) AS completeness,
           v1.points(q.ticks - q.late, q.ticks) AS timeliness,
           v1.points(l.present + q.ticks, l.present + q.ticks + q.dead_lettered) AS validity,
           v1.points(l.present - q.corrected, l.present) AS consistency,
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

-- The sessions that need a look, worst first.
CREATE FUNCTION v1.worst_quality(days integer DEFAULT 30, most integer DEFAULT 20) RETURNS SETOF v1.quality_scores
    LANGUAGE sql STABLE
    BEGIN ATOMIC
        SELECT symbol, session_date, completeness, timeliness, validity, consistency, uniqueness, score, worst, checked_at
        FROM v1.quality_scores
        WHERE session_date > current_date - days
        ORDER BY score, session_date DESC, symbol
        LIMIT most;
    END;

-- What the supervisor obeys: a row is an order, taken once.
CREATE TABLE core.control (
    id         bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    service    text        NOT NULL,
    verb       text        NOT NULL CHECK (verb IN ('restart')),
    asked_by   text        NOT NULL,
    reason     text        NOT NULL,
    state      text        NOT NULL DEFAULT 'asked' CHECK (state IN ('asked', 'done', 'failed', 'expired')),
    detail     text        NOT NULL DEFAULT '',
    asked_at   timestamptz NOT NULL DEFAULT now(),
    settled_at timestamptz
);
CREATE UNIQUE INDEX control_one_open_order ON core.control (service) WHERE state = 'asked';

CREATE VIEW v1.control AS
SELECT id, service, verb, asked_by, reason, state, detail, asked_at, settled_at FROM core.control;

CREATE TABLE core.session_reports (
    calendar     text        NOT NULL,
    session_date date        NOT NULL,
    report       jsonb       NOT NULL,
    made_at      timestamptz NOT NULL DEFAULT now(),
    PRIMARY KEY (calendar, session_date)
);

CREATE VIEW v1.session_reports AS
SELECT calendar, session_date, report, made_at FROM core.session_reports;

-- Deletes what is older than its time, and says how much. Bars stay: they are what the platform is for.
CREATE FUNCTION core.tidy(letter_days integer, revision_days integer, ledger_days integer) RETURNS jsonb
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
    DELETE FROM core.control WHERE asked_at < now() - make_interval(days => ledger_days) AND state <> 'asked';
    GET DIAGNOSTICS n = ROW_COUNT; gone := gone || jsonb_build_object('control', n);
    RETURN gone;
END $$;
