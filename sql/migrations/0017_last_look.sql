-- A bar that ticks made is confirmed by the platform itself: what of a session waits for it, and when all of it was last asked for.

-- When one answer last spoke for the session from open to close.
ALTER TABLE core.coverage ADD COLUMN whole_at timestamptz;

-- Of the minutes present, those that have the provider's complete row. NULL in rows from before they were counted.
ALTER TABLE core.session_ledger ADD COLUMN confirmed integer;

CREATE OR REPLACE VIEW v1.session_ledger AS
SELECT symbol, session_date, expected, present, pending, no_trade, provider_gap, throttled, our_outage, unconfirmed, closed,
       repaired, is_settled, checked_at, disagree, day_agrees, confirmed
FROM core.session_ledger;
