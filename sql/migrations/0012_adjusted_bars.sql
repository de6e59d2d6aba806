-- Splits and dividends as versioned factors, applied on read: bars stay as printed (docs/database.md has the formulas).

-- What was said of an action before another word replaced it: seen from updated_at until superseded_at.
CREATE TABLE core.corporate_action_revisions (
    symbol        text             NOT NULL,
    ex_date       date             NOT NULL,
    action        text             NOT NULL,
    value         double precision NOT NULL,
    source        text             NOT NULL,
    received_at   timestamptz      NOT NULL,
    updated_at    timestamptz      NOT NULL,
    superseded_at timestamptz      NOT NULL DEFAULT now(),
    PRIMARY KEY (symbol, ex_date, action, updated_at)
);

CREATE VIEW v1.corporate_action_revisions AS
SELECT symbol, ex_date, action, value, source, received_at, updated_at, superseded_at FROM core.corporate_action_revisions;

-- exp(sum(ln(x))) would make 3.9999999999999996 of a 4:1 split.
CREATE AGGREGATE v1.product(double precision) (
    SFUNC = float8mul, STYPE = double precision, INITCOND = '1', COMBINEFUNC = float8mul, PARALLEL = SAFE
);

-- The actions whose ex-date has come at their exchange: what is announced for later does nothing yet.
CREATE VIEW core.effective_actions AS
SELECT a.symbol, a.ex_date, a.action, a.value, a.updated_at, i.timezone
FROM core.corporate_actions a
JOIN core.instruments i USING (symbol)
WHERE a.ex_date <= (now() AT TIME ZONE i.timezone)::date;

-- What each action does to the bars before it. Where a dividend's share cannot be known (no close before it, or one that is not
-- above it) its factor is NaN: then nobody knows the total return of older bars.
CREATE VIEW v1.adjustments AS
SELECT a.symbol, a.ex_date, a.action, a.value, p.close AS previous_close,
       CASE WHEN a.action = 'split' THEN 1 / a.value
            WHEN a.value < p.close THEN 1 - a.value / p.close
            ELSE 'NaN' END AS price_factor,
       CASE WHEN a.action = 'split' THEN a.value ELSE 1 END AS volume_factor,
       a.updated_at AS known_since
FROM core.effective_actions a
LEFT JOIN LATERAL (
    -- In the shares of the ex-date: on the day of a split too, a dividend is paid on the new ones.
    SELECT b.close / (SELECT v1.product(s.value) FROM core.corporate_actions s
                      WHERE s.symbol = a.symbol AND s.action = 'split' AND s.ex_date > b.session_date AND s.ex_date <= a.ex_date) AS close
    FROM core.bars b
    WHERE a.action = 'dividend' AND b.symbol = a.symbol AND b.timeframe = '1d'
      -- Sessions begin at most a day before or after their date in UTC: a bound that the index understands.
      AND b.ts < (a.ex_date + 1)::timestamp AT TIME ZONE 'UTC' AND b.session_date < a.ex_date
    ORDER BY b.ts DESC LIMIT 1
) p ON true;

-- A symbol's ex-dates of splits in rising order, and beside each what all splits from it on do to the bars before it.
CREATE VIEW core.split_ratios AS
SELECT symbol, array_agg(ex_date ORDER BY ex_date) AS ex_dates, array_agg(ratio ORDER BY ex_date) AS ratios
FROM (
    SELECT symbol, ex_date, v1.product(value) OVER (PARTITION BY symbol ORDER BY ex_date DESC) AS ratio
    FROM core.effective_actions WHERE action = 'split'
) s
GROUP BY symbol;

-- A series as printed, in today's shares, and with its dividends put back in. The number of ex-dates up to a bar's date is its place
-- in the arrays: one binary search a bar, and none over the actions. As v1.bars_as_of it must stay plain SQL, one SELECT, to become
-- part of the caller's query: the bars are walked by their key, the arrays are made once, and those that the caller's columns do not
-- need are not made at all (an aggregate without GROUP BY is one row, which the planner sees; of a view with one it does not).
CREATE FUNCTION v1.bars_adjusted(of_symbol text, of_timeframe text)
    RETURNS TABLE (
        symbol text, timeframe text, ts timestamptz, bar_end timestamptz, session_date date, session text,
        open double precision, high double precision, low double precision, close double precision, volume double precision,
        ticks integer, mean_price double precision, is_closed boolean, is_final boolean, revision integer, source text,
        event_time timestamptz, received_at timestamptz, updated_at timestamptz, inputs text,
        split_ratio double precision, split_open double precision, split_high double precision, split_low double precision,
        split_close double precision, split_volume double precision, dividend_factor double precision,
        total_return_open double precision, total_return_high double precision, total_return_low double precision,
        total_return_close double precision
    )
    LANGUAGE sql STABLE PARALLEL SAFE ROWS 1000 AS $$
SELECT b.symbol, b.timeframe, b.ts, b.bar_end, b.session_date, b.session, b.open, b.high, b.low, b.close, b.volume, b.ticks,
       b.mean_price, b.is_closed, b.is_final, b.revision, b.source, b.event_time, b.received_at, b.updated_at, b.inputs,
       f.split_ratio, b.open / f.split_ratio, b.high / f.split_ratio, b.low / f.split_ratio, b.close / f.split_ratio,
       b.volume * f.split_ratio,
       f.dividend_factor, b.open / f.split_ratio * f.dividend_factor, b.high / f.split_ratio * f.dividend_factor,
       b.low / f.split_ratio * f.dividend_factor, b.close / f.split_ratio * f.dividend_factor
FROM v1.bars b
LEFT JOIN (
    SELECT array_agg(r.ex_date ORDER BY r.ex_date) AS ex_dates, array_agg(r.ratio ORDER BY r.ex_date) AS ratios
    FROM (
        SELECT a.ex_date, v1.product(a.value) OVER (ORDER BY a.ex_date DESC) AS ratio
        FROM v1.corporate_actions a
        WHERE a.symbol = of_symbol AND a.action = 'split'
          AND a.ex_date <= (now() AT TIME ZONE (SELECT i.timezone FROM v1.instruments i WHERE i.symbol = of_symbol))::date
    ) r
) s ON true
LEFT JOIN (
    SELECT array_agg(r.ex_date ORDER BY r.ex_date) AS ex_dates, array_agg(r.factor ORDER BY r.ex_date) AS factors,
           (SELECT i.timezone FROM v1.instruments i WHERE i.symbol = of_symbol) AS timezone
    FROM (
        SELECT a.ex_date, v1.product(a.price_factor) OVER (ORDER BY a.ex_date DESC) AS factor
        FROM v1.adjustments a WHERE a.symbol = of_symbol AND a.action = 'dividend'
    ) r
) d ON true
CROSS JOIN LATERAL (
    SELECT coalesce(s.ratios[1 + width_bucket(b.session_date, s.ex_dates)], 1) AS split_ratio,
           -- A week's and a month's close is its last session's, and so its dividends are those after that.
           nullif(coalesce(d.factors[1 + width_bucket(
               CASE WHEN b.timeframe IN ('1w', '1mo')
                    THEN ((b.bar_end - interval '1 microsecond') AT TIME ZONE d.timezone)::date
                    ELSE b.session_date END,
               d.ex_dates)], 1), 'NaN') AS dividend_factor
) f
WHERE b.symbol = of_symbol AND b.timeframe = of_timeframe
$$;

-- The actions whose ex-date had come at `at`: as the tables said then (`seen`), or as they are known today (`event`).
CREATE FUNCTION v1.corporate_actions_as_of(of_symbol text, at timestamptz, in_mode v1.as_of_mode)
    RETURNS TABLE (
        symbol text, ex_date date, action text, value double precision, source text, received_at timestamptz,
        known_since timestamptz, superseded_at timestamptz, mode v1.as_of_mode, as_of timestamptz
    )
    LANGUAGE sql STABLE PARALLEL SAFE ROWS 100 AS $$
SELECT a.symbol, a.ex_date, a.action, a.value, a.source, a.received_at, a.updated_at, a.superseded_at, in_mode, at
FROM (
    SELECT c.symbol, c.ex_date, c.action, c.value, c.source, c.received_at, c.updated_at, NULL::timestamptz AS superseded_at
    FROM v1.corporate_actions c
    WHERE c.symbol = of_symbol AND (in_mode = 'event' OR c.updated_at <= (SELECT v1.seen_through(at)))
    UNION ALL
    SELECT r.symbol, r.ex_date, r.action, r.value, r.source, r.received_at, r.updated_at, r.superseded_at
    FROM v1.corporate_action_revisions r
    WHERE r.symbol = of_symbol AND in_mode = 'seen'
      AND r.updated_at <= (SELECT v1.seen_through(at)) AND r.superseded_at > (SELECT v1.seen_through(at))
) a
WHERE a.ex_date <= (at AT TIME ZONE (SELECT i.timezone FROM v1.instruments i WHERE i.symbol = of_symbol))::date
$$;

-- v1.bars_adjusted as of `at`: bars, closes before dividends, splits and dividends are all as `in_mode` says.
CREATE FUNCTION v1.bars_adjusted_as_of(of_symbol text, of_timeframe text, at timestamptz, in_mode v1.as_of_mode)
    RETURNS TABLE (
        symbol text, timeframe text, ts timestamptz, bar_end timestamptz, session_date date, session text,
        open double precision, high double precision, low double precision, close double precision, volume double precision,
        mean_price double precision, revision integer, source text, event_time timestamptz, received_at timestamptz,
        known_since timestamptz, superseded_at timestamptz, inputs text, mode v1.as_of_mode, as_of timestamptz,
        split_ratio double precision, split_open double precision, split_high double precision, split_low double precision,
        split_close double precision, split_volume double precision, dividend_factor double precision,
        total_return_open double precision, total_return_high double precision, total_return_low double precision,
        total_return_close double precision
    )
    LANGUAGE sql STABLE PARALLEL SAFE ROWS 1000 AS $$
SELECT b.symbol, b.timeframe, b.ts, b.bar_end, b.session_date, b.session, b.open, b.high, b.low, b.close, b.volume, b.mean_price,
       b.revision, b.source, b.event_time, b.received_at, b.known_since, b.superseded_at, b.inputs, b.mode, b.as_of,
       f.split_ratio, b.open / f.split_ratio, b.high / f.split_ratio, b.low / f.split_ratio, b.close / f.split_ratio,
       b.volume * f.split_ratio,
       f.dividend_factor, b.open / f.split_ratio * f.dividend_factor, b.high / f.split_ratio * f.dividend_factor,
       b.low / f.split_ratio * f.dividend_factor, b.close / f.split_ratio * f.dividend_factor
FROM v1.bars_as_of(of_symbol, of_timeframe, at, in_mode) b
LEFT JOIN (
    SELECT array_agg(r.ex_date ORDER BY r.ex_date) AS ex_dates, array_agg(r.ratio ORDER BY r.ex_date) AS ratios
    FROM (
        SELECT a.ex_date, v1.product(a.value) OVER (ORDER BY a.ex_date DESC) AS ratio
        FROM v1.corporate_actions_as_of(of_symbol, at, in_mode) a WHERE a.action = 'split'
    ) r
) s ON true
LEFT JOIN (
    SELECT array_agg(r.ex_date ORDER BY r.ex_date) AS ex_dates, array_agg(r.factor ORDER BY r.ex_date) AS factors,
           (SELECT i.timezone FROM v1.instruments i WHERE i.symbol = of_symbol) AS timezone
    FROM (
        SELECT a.ex_date,
               v1.product(CASE WHEN a.value < p.close THEN 1 - a.value / p.close ELSE 'NaN' END)
                   OVER (ORDER BY a.ex_date DESC) AS factor
        FROM v1.corporate_actions_as_of(of_symbol, at, in_mode) a
        LEFT JOIN LATERAL (
            SELECT c.close / (SELECT v1.product(s.value) FROM v1.corporate_actions_as_of(of_symbol, at, in_mode) s
                              WHERE s.action = 'split' AND s.ex_date > c.session_date AND s.ex_date <= a.ex_date) AS close
            FROM v1.bars_as_of(of_symbol, '1d', at, in_mode) c
            WHERE c.ts < (a.ex_date + 1)::timestamp AT TIME ZONE 'UTC' AND c.session_date < a.ex_date
            ORDER BY c.ts DESC LIMIT 1
        ) p ON true
        WHERE a.action = 'dividend'
    ) r
) d ON true
CROSS JOIN LATERAL (
    SELECT coalesce(s.ratios[1 + width_bucket(b.session_date, s.ex_dates)], 1) AS split_ratio,
           nullif(coalesce(d.factors[1 + width_bucket(
               CASE WHEN b.timeframe IN ('1w', '1mo')
                    THEN ((b.bar_end - interval '1 microsecond') AT TIME ZONE d.timezone)::date
                    ELSE b.session_date END,
               d.ex_dates)], 1), 'NaN') AS dividend_factor
) f
$$;

-- Of the indicators that a user has chosen: the state after a closed bar, beside the first name of a kind that has one. As
-- v1.indicator_states, this is where values as of a time go on from.
CREATE VIEW v1.indicator_value_states AS
SELECT symbol, timeframe, ts, name, params, state FROM core.indicator_values WHERE state IS NOT NULL;

-- The highest and the lowest of 52 weeks in today's shares.
CREATE OR REPLACE VIEW v1.latest AS
SELECT l.symbol, i.name, i.currency, l.price, l.previous_close, l.price - l.previous_close AS change,
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
