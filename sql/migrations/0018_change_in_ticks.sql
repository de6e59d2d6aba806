-- A change is a difference of two prices and as fine as they are: a difference of floats carries dust in its last digits.
CREATE OR REPLACE VIEW v1.latest AS
SELECT l.symbol, i.name, i.currency, l.price, l.previous_close,
       round((l.price - l.previous_close)::numeric, i.price_precision)::double precision AS change,
       100 * (l.price / l.previous_close - 1) AS change_pct, l.day_high, l.day_low, l.day_volume, y.week52_high, y.week52_low,
       l.session, l.session_date, l.event_time, l.received_at, l.updated_at,
       extract(epoch FROM now() - l.event_time) AS age_s, l.source
FROM core.latest l
JOIN core.instruments i USING (symbol)
LEFT JOIN core.split_ratios s ON s.symbol = l.symbol
LEFT JOIN LATERAL (
    SELECT max(b.high / r.ratio) AS week52_high, min(b.low / r.ratio) AS week52_low
    FROM core.bars b
    CROSS JOIN LATERAL (SELECT coalesce(s.ratios[1 + width_bucket(b.session_date, s.ex_dates)], 1) AS ratio) r
    WHERE b.symbol = l.symbol AND b.timeframe = '1d' AND b.ts > l.event_time - interval '52 weeks'
) y ON true;

-- What is told of Airflow's runs that miss their deadline had the name of the service itself.
UPDATE core.service_status SET name = 'deadlines' WHERE name = 'airflow';
