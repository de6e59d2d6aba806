-- Schema v1: what readers may rely on. Columns are only ever added (docs/database.md lists them).

CREATE SCHEMA v1;

CREATE VIEW v1.instruments AS
SELECT symbol, name, instrument_type, exchange, calendar, timezone, currency, price_precision, has_volume, tracked, state,
       state_detail, source, added_at, updated_at
FROM core.instruments;

CREATE VIEW v1.sessions AS
SELECT calendar, session_date, opens_at, closes_at, break_start, break_end FROM core.sessions;

CREATE VIEW v1.bars AS
SELECT symbol, timeframe, ts, bar_end, session_date, session, open, high, low, close, volume, ticks, mean_price, is_closed,
       is_final, revision, source, event_time, received_at, updated_at, inputs
FROM core.bars;

CREATE VIEW v1.bar_revisions AS
SELECT symbol, timeframe, ts, revision, open, high, low, close, volume, ticks, is_final, source, event_time, received_at,
       updated_at, superseded_at, inputs
FROM core.bar_revisions;

CREATE VIEW v1.indicators AS
SELECT symbol, timeframe, ts, revision, is_final, sma_4, sma_5, sma_20, sma_50, sma_200, ema_12, ema_26, rsi_14, macd,
       macd_signal, macd_histogram, bb_upper, bb_middle, bb_lower, atr_14, session_vwap, obv, volatility_20, volume_sma_20,
       roc_10, change, change_pct
FROM core.indicators;

CREATE VIEW v1.latest AS
SELECT l.symbol, i.name, i.currency, l.price, l.previous_close, l.price - l.previous_close AS change,
       100 * (l.price / l.previous_close - 1) AS change_pct, l.day_high, l.day_low, l.day_volume, y.week52_high, y.week52_low,
       l.session, l.session_date, l.event_time, l.received_at, l.updated_at,
       extract(epoch FROM now() - l.event_time) AS age_s, l.source
FROM core.latest l
JOIN core.instruments i USING (symbol)
LEFT JOIN LATERAL (
    SELECT max(b.high) AS week52_high, min(b.low) AS week52_low
    FROM core.bars b
    WHERE b.symbol = l.symbol AND b.timeframe = '1d' AND b.ts > l.event_time - interval '52 weeks'
) y ON true;

-- Minutes of a session that have ended (five seconds ago: the stream may still be closing the last one), and those that have a
-- bar. Why a minute is missing is the gap ledger's to say.
CREATE VIEW v1.quality AS
SELECT i.symbol, q.session_date, c.expected, c.present, greatest(c.expected - c.present, 0) AS missing,
       q.ticks, q.late, q.corrected, q.dead_lettered, q.note, q.updated_at
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

CREATE VIEW v1.dead_letters AS
SELECT id, stage, reason, detail, symbol, payload, content_hash, topic, kafka_partition, kafka_offset, received_at, created_at
FROM core.dead_letters;

CREATE VIEW v1.gaps AS
SELECT id, symbol, starts_at, ends_at, reason, detail, state, found_at, settled_at FROM core.gaps;

CREATE VIEW v1.corporate_actions AS
SELECT symbol, ex_date, action, value, source, received_at, updated_at FROM core.corporate_actions;

-- How each process is: `age_s` is the age of its last word in seconds. The stream's row `spark` is written at least every 5 s.
CREATE VIEW v1.service_status AS
SELECT name, state, detail, heartbeat_at, extract(epoch FROM now() - heartbeat_at) AS age_s FROM core.service_status;

CREATE VIEW v1.stream AS
SELECT query, topic, partition, next_offset, epoch, to_timestamp(clock_ms / 1000.0) AS complete_through, updated_at,
       extract(epoch FROM now() - updated_at) AS age_s
FROM core.stream_offsets;
