-- What a feed says beside its ticks of the session's high and low: in the daily bar of a session that is over, and for a symbol's
-- newest session in its row of `latest`, which moves with every tick. `high_ms` and `low_ms` are of the ticks that told them (in the
-- daily bar `first_ms` and `last_ms`): the newest word counts.
ALTER TABLE core.bars
    ADD COLUMN quoted_high double precision,
    ADD COLUMN quoted_low  double precision;

-- And the last two ticks by (event time, day volume, price), in whichever order they came.
ALTER TABLE core.latest
    ADD COLUMN tick_ms       bigint,
    ADD COLUMN tick_volume   bigint,
    ADD COLUMN tick_price    double precision,
    ADD COLUMN before_ms     bigint,
    ADD COLUMN before_volume bigint,
    ADD COLUMN before_price  double precision,
    ADD COLUMN quoted_date   date,
    ADD COLUMN high_ms       bigint,
    ADD COLUMN quoted_high   double precision,
    ADD COLUMN low_ms        bigint,
    ADD COLUMN quoted_low    double precision;

-- The tick before the last one counts in the shares of the last one: between them there may have been a split.
CREATE OR REPLACE VIEW v1.latest AS
SELECT l.symbol, i.name, i.currency, l.price, l.previous_close,
       round((l.price - l.previous_close)::numeric, i.price_precision)::double precision AS change,
       100 * (l.price / l.previous_close - 1) AS change_pct, l.day_high, l.day_low, l.day_volume, y.week52_high, y.week52_low,
       l.session, l.session_date, l.event_time, l.received_at, l.updated_at,
       extract(epoch FROM now() - l.event_time) AS age_s, l.source,
       round((l.tick_price - p.price)::numeric, i.price_precision)::double precision AS tick_change,
       100 * (l.tick_price / p.price - 1) AS tick_change_pct
FROM core.latest l
JOIN core.instruments i USING (symbol)
LEFT JOIN core.split_ratios s ON s.symbol = l.symbol
LEFT JOIN LATERAL (
    SELECT max(b.high / r.ratio) AS week52_high, min(b.low / r.ratio) AS week52_low
    FROM core.bars b
    CROSS JOIN LATERAL (SELECT coalesce(s.ratios[1 + width_bucket(b.session_date, s.ex_dates)], 1) AS ratio) r
    WHERE b.symbol = l.symbol AND b.timeframe = '1d' AND b.ts > l.event_time - interval '52 weeks'
) y ON true
CROSS JOIN LATERAL (
    SELECT l.before_price
           * coalesce(s.ratios[1 + width_bucket((to_timestamp(l.tick_ms / 1000.0) AT TIME ZONE i.timezone)::date, s.ex_dates)], 1)
           / coalesce(s.ratios[1 + width_bucket((to_timestamp(l.before_ms / 1000.0) AT TIME ZONE i.timezone)::date, s.ex_dates)], 1)
           AS price
) p;
