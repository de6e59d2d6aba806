-- Series whose indicators follow, from a bar on, from bars as they were before a correction of the past (market/past.py). The stream
-- works them off; a row goes when its values are right to the newest bar.
CREATE TABLE core.recomputations (
    symbol     text        NOT NULL,
    timeframe  text        NOT NULL,
    from_ts    timestamptz NOT NULL,
    through_ts timestamptz NOT NULL,
    queued_at  timestamptz NOT NULL DEFAULT now(),
    PRIMARY KEY (symbol, timeframe)
);

CREATE VIEW v1.recomputations AS SELECT symbol, timeframe, from_ts, queued_at FROM core.recomputations;

CREATE OR REPLACE VIEW v1.indicators AS
SELECT symbol, timeframe, ts, revision, is_final, sma_4, sma_5, sma_20, sma_50, sma_200, ema_12, ema_26, rsi_14, macd,
       macd_signal, macd_histogram, bb_upper, bb_middle, bb_lower, atr_14, session_vwap, obv, volatility_20, volume_sma_20,
       roc_10, change, change_pct,
       EXISTS (SELECT FROM core.recomputations r
               WHERE r.symbol = i.symbol AND r.timeframe = i.timeframe AND r.from_ts <= i.ts) AS is_recomputing
FROM core.indicators i;

CREATE OR REPLACE VIEW v1.indicator_values AS
SELECT symbol, timeframe, ts, name, params, value, revision, is_final,
       EXISTS (SELECT FROM core.recomputations r
               WHERE r.symbol = i.symbol AND r.timeframe = i.timeframe AND r.from_ts <= i.ts) AS is_recomputing
FROM core.indicator_values i;
