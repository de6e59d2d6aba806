-- Whose word a bar's prices are (market/bars.py has the codes), and of each revision whose they were; NULL in those that were kept
-- before this column was there.
ALTER TABLE core.bar_revisions ADD COLUMN origin smallint;

CREATE OR REPLACE VIEW v1.bars AS
SELECT symbol, timeframe, ts, bar_end, session_date, session, open, high, low, close, volume, ticks, mean_price, is_closed,
       is_final, revision, source, event_time, received_at, updated_at, inputs,
       CASE origin WHEN 0 THEN 'provider_partial' WHEN 1 THEN 'provider_bars' WHEN 2 THEN 'ours' WHEN 3 THEN 'provider' END AS origin
FROM core.bars;

CREATE OR REPLACE VIEW v1.bar_revisions AS
SELECT symbol, timeframe, ts, revision, open, high, low, close, volume, ticks, is_final, source, event_time, received_at,
       updated_at, superseded_at, inputs,
       CASE origin WHEN 0 THEN 'provider_partial' WHEN 1 THEN 'provider_bars' WHEN 2 THEN 'ours' WHEN 3 THEN 'provider' END AS origin
FROM core.bar_revisions;

-- Where a frame goes over from the provider's own bars to a roll-up of our minutes: the first session that has minutes. There both
-- are stored, and those of the provider's bars all of whose minutes are there are held against them. The tolerance is that of a
-- minute and its ticks (docs/quality.md).
CREATE VIEW v1.seams AS
SELECT i.symbol, t.timeframe, f.session_date, count(*)::integer AS compared,
       (count(*) FILTER (WHERE NOT b.agrees))::integer AS disagree,
       min(b.ts) FILTER (WHERE NOT b.agrees) AS first_disagreeing,
       max(b.off / b.close) AS most_off
FROM core.instruments i
CROSS JOIN unnest(ARRAY['5m', '15m', '30m', '1h']) AS t (timeframe)
CROSS JOIN LATERAL (
    SELECT m.session_date, m.ts FROM core.bars m
    WHERE m.symbol = i.symbol AND m.timeframe = '1m' AND m.session = 'regular' ORDER BY m.ts LIMIT 1
) f
CROSS JOIN LATERAL (
    SELECT p.ts, p.close, o.off,
           o.off <= greatest(0.001 * p.close, 2 * 10.0 ^ -i.price_precision, (p.high - p.low) / 2) + 1e-9 AS agrees
    FROM core.bars p
    CROSS JOIN LATERAL (
        SELECT count(*) AS minutes,
               greatest(abs((array_agg(m.open ORDER BY m.ts))[1] - p.open), abs(max(m.high) - p.high), abs(min(m.low) - p.low),
                        abs((array_agg(m.close ORDER BY m.ts DESC))[1] - p.close)) AS off
        FROM core.bars m
        WHERE m.symbol = p.symbol AND m.timeframe = '1m' AND m.session = 'regular' AND m.ts >= p.ts AND m.ts < p.bar_end
          AND m.is_closed
    ) o
    WHERE p.symbol = i.symbol AND p.timeframe = t.timeframe AND p.session_date = f.session_date AND p.origin IN (1, 3)
      -- A session lasts a day at most: a bound that the index understands.
      AND p.ts > f.ts - interval '1 day' AND p.ts < f.ts + interval '1 day'
      AND o.minutes * interval '1 minute' = p.bar_end - p.ts
) b
GROUP BY i.symbol, t.timeframe, f.session_date;
