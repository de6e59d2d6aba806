-- A split or dividend that was published and is published no more: its row stays, with the value 0, so that a late copy of what was
-- withdrawn does not bring it back. Readers see it among the revisions, until when it was withdrawn, and nowhere else.

ALTER TABLE core.corporate_actions DROP CONSTRAINT corporate_actions_value_check,
    ADD CONSTRAINT corporate_actions_value_check CHECK (value >= 0);

CREATE OR REPLACE VIEW v1.corporate_actions AS
SELECT symbol, ex_date, action, value, source, received_at, updated_at FROM core.corporate_actions WHERE value > 0;

CREATE OR REPLACE VIEW core.effective_actions AS
SELECT a.symbol, a.ex_date, a.action, a.value, a.updated_at, i.timezone
FROM core.corporate_actions a
JOIN core.instruments i USING (symbol)
WHERE a.ex_date <= (now() AT TIME ZONE i.timezone)::date AND a.value > 0;

CREATE OR REPLACE VIEW v1.adjustments AS
SELECT a.symbol, a.ex_date, a.action, a.value, p.close AS previous_close,
       CASE WHEN a.action = 'split' THEN 1 / a.value
            WHEN a.value < p.close THEN 1 - a.value / p.close
            ELSE 'NaN' END AS price_factor,
       CASE WHEN a.action = 'split' THEN a.value ELSE 1 END AS volume_factor,
       a.updated_at AS known_since
FROM core.effective_actions a
LEFT JOIN LATERAL (
    -- In the shares of the ex-date: on the day of a split too, a dividend is paid on the new ones.
    SELECT b.close / (SELECT v1.product(s.value) FROM v1.corporate_actions s
                      WHERE s.symbol = a.symbol AND s.action = 'split' AND s.ex_date > b.session_date AND s.ex_date <= a.ex_date) AS close
    FROM core.bars b
    WHERE a.action = 'dividend' AND b.symbol = a.symbol AND b.timeframe = '1d'
      -- Sessions begin at most a day before or after their date in UTC: a bound that the index understands.
      AND b.ts < (a.ex_date + 1)::timestamp AT TIME ZONE 'UTC' AND b.session_date < a.ex_date
    ORDER BY b.ts DESC LIMIT 1
) p ON true;
