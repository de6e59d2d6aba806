-- Bars that are not final yet: few at any time, wherever they lie. A start looks for the oldest of each series, so that a bar that was
-- left open years back is closed when its clock comes.
CREATE INDEX bars_waiting ON core.bars (symbol, timeframe, session, ts) WHERE NOT is_final;
