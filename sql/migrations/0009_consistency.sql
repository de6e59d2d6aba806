-- Consistency is judged by what a correction changed: prices that ticks made and that the provider then confirmed to the last cent, or
-- within a tenth of a per cent, agree.

ALTER TABLE core.session_ledger ADD COLUMN disagree integer NOT NULL DEFAULT 0;

CREATE OR REPLACE VIEW v1.session_ledger AS
SELECT symbol, session_date, expected, present, pending, no_trade, provider_gap, throttled, our_outage, unconfirmed, closed,
       repaired, is_settled, checked_at, disagree
FROM core.session_ledger;

CREATE OR REPLACE FUNCTION v1.points(good double precision, whole double precision) RETURNS double precision
    LANGUAGE sql IMMUTABLE PARALLEL SAFE
    RETURN CASE WHEN whole > 0 AND good IS NOT NULL
                THEN round((100 * least(greatest(good / whole, 0), 1))::numeric, 2)::double precision END;

CREATE OR REPLACE VIEW v1.quality_scores AS
SELECT d.symbol, d.session_date, d.completeness, d.timeliness, d.validity, d.consistency, d.uniqueness,
       round((w.points / w.weight)::numeric, 2)::double precision AS score, w.worst, d.checked_at
FROM (
    SELECT l.symbol, l.session_date,
           v1.points(l.present + l.no_trade + l.closed, l.expected - l.pending) AS completeness,
           v1.points(q.ticks - q.late, q.ticks) AS timeliness,
           v1.points(l.present + coalesce(q.ticks, 0), l.present + coalesce(q.ticks, 0) + coalesce(q.dead_lettered, 0)) AS validity,
           v1.points(l.present - l.disagree, l.present) AS consistency,
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
