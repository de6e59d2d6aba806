-- Indicators that a user has chosen (indicators.toml): a row a bar, name and parameters.

CREATE TABLE core.indicator_values (
    symbol    text             NOT NULL,
    timeframe text             NOT NULL,
    ts        timestamptz      NOT NULL,
    name      text             NOT NULL,
    params    text             NOT NULL,
    value     double precision,
    revision  integer          NOT NULL,
    is_final  boolean          NOT NULL,
    -- Beside the first name of a kind that goes on from the bar before: its state after this bar; NULL on a forming bar.
    state     double precision[],
    PRIMARY KEY (symbol, timeframe, ts, name, params)
) PARTITION BY RANGE (ts);

-- What is chosen, and by which code its stored rows were computed; empty while they are being written or deleted.
CREATE TABLE core.indicator_choices (
    timeframe    text        NOT NULL,
    kind         text        NOT NULL,
    params       text        NOT NULL,
    code_version text        NOT NULL,
    updated_at   timestamptz NOT NULL DEFAULT now(),
    PRIMARY KEY (timeframe, kind, params)
);

-- Beside the kernel's version: that of all choices and of the code that computes them; empty where nothing is chosen.
ALTER TABLE core.stream_epochs ADD COLUMN indicators_version text NOT NULL DEFAULT '';

CREATE OR REPLACE FUNCTION core.ensure_partitions(first_month date, last_month date) RETURNS integer
    LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog AS $$
DECLARE
    parent text;
    month  date;
    made   integer := 0;
BEGIN
    FOREACH parent IN ARRAY ARRAY['bars', 'indicators', 'indicator_values'] LOOP
        IF to_regclass(format('core.%I', parent || '_history')) IS NULL THEN
            EXECUTE format('CREATE TABLE core.%I PARTITION OF core.%I FOR VALUES FROM (MINVALUE) TO (%L)',
                           parent || '_history', parent, date_trunc('month', first_month) AT TIME ZONE 'UTC');
            made := made + 1;
        END IF;
        month := date_trunc('month', first_month);
        WHILE month <= last_month LOOP
            IF to_regclass(format('core.%I', parent || to_char(month, '_YYYY_MM'))) IS NULL THEN
                EXECUTE format('CREATE TABLE core.%I PARTITION OF core.%I FOR VALUES FROM (%L) TO (%L) WITH (fillfactor = 80)',
                               parent || to_char(month, '_YYYY_MM'), parent,
                               month::timestamp AT TIME ZONE 'UTC', (month + interval '1 month') AT TIME ZONE 'UTC');
                made := made + 1;
            END IF;
            month := month + interval '1 month';
        END LOOP;
    END LOOP;
    RETURN made;
END $$;

-- The months that bars have by now.
SELECT core.ensure_partitions(min(m.month), max(m.month))
FROM (
    SELECT to_date(right(inhrelid::regclass::text, 7), 'YYYY_MM') AS month
    FROM pg_inherits WHERE inhparent = 'core.bars'::regclass AND inhrelid::regclass::text ~ '_\d{4}_\d{2}$'
) m;

CREATE VIEW v1.indicator_values AS
SELECT symbol, timeframe, ts, name, params, value, revision, is_final FROM core.indicator_values;

CREATE VIEW v1.indicator_choices AS
SELECT timeframe, kind, params, code_version <> '' AS is_complete, updated_at FROM core.indicator_choices;
