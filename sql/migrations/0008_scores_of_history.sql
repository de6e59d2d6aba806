-- A session that came from history alone has no counters of the stream: nothing was late, corrected or refused of it.

CREATE OR REPLACE VIEW v1.quality_scores AS
SELECT d.symbol, d.session_date, d.completeness, d.timeliness, d.validity, d.consistency, d.uniqueness,
       round((w.points / w.weight)::numeric, 2)::double precision AS score, w.worst, d.checked_at
FROM (
    SELECT l.symbol, l.session_date,
           v1.points(l.present + l.no_trade + l.closed, l.expected - l.pending) AS completeness,
           v1.points(q.ticks - q.late, q.ticks) AS timeliness,
           v1.points(l.present + coalesce(q.ticks, 0), l.present + coalesce(q.ticks, 0) + coalesce(q.dead_lettered, 0)) AS validity,
           v1.points(l.present - coalesce(q.corrected, 0), l.present) AS consistency,
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
