-- The tables behind the platform. Times are UTC; prices are as printed, in the instrument's currency; volumes in shares or coins.
-- Readers use the views of schema v1 (0002_views.sql); only ingestion and the stream write here.

CREATE SCHEMA core;

CREATE TABLE core.instruments (
    symbol          text PRIMARY KEY,
    name            text,
    instrument_type text,
    exchange        text,
    calendar        text,
    timezone        text,
    currency        text,
    price_precision smallint    NOT NULL DEFAULT 2 CHECK (price_precision BETWEEN 0 AND 8),
    has_volume      boolean     NOT NULL DEFAULT true,
    tracked         boolean     NOT NULL DEFAULT true,
    -- pending: not asked yet; ok: the provider knows it; unknown: it answered that there is no such symbol
    state           text        NOT NULL DEFAULT 'pending' CHECK (state IN ('pending', 'ok', 'unknown')),
    state_detail    text,
    source          text        NOT NULL,
    added_at        timestamptz NOT NULL DEFAULT now(),
    updated_at      timestamptz NOT NULL DEFAULT now(),
    CHECK (state <> 'ok' OR (calendar IS NOT NULL AND timezone IS NOT NULL AND currency IS NOT NULL))
);

CREATE TABLE core.sessions (
    calendar     text        NOT NULL,
    session_date date        NOT NULL,
    opens_at     timestamptz NOT NULL,
    closes_at    timestamptz NOT NULL,
    break_start  timestamptz,
    break_end    timestamptz,
    PRIMARY KEY (calendar, session_date),
    CHECK (opens_at < closes_at)
);

CREATE TABLE core.bars (
    symbol       text             NOT NULL,
    timeframe    text             NOT NULL,
    ts           timestamptz      NOT NULL,
    bar_end      timestamptz      NOT NULL,
    session_date date             NOT NULL,
    session      text             NOT NULL,
    open         double precision NOT NULL,
    high         double precision NOT NULL,
    low          double precision NOT NULL,
    close        double precision NOT NULL,
    volume       double precision,
    ticks        integer          NOT NULL,
    mean_price   double precision NOT NULL,
    is_closed    boolean          NOT NULL,
    is_final     boolean          NOT NULL,
    revision     integer          NOT NULL,
    source       text             NOT NULL,
    event_time   timestamptz      NOT NULL,
    received_at  timestamptz      NOT NULL,
    updated_at   timestamptz      NOT NULL DEFAULT now(),
    inputs       text             NOT NULL,
    -- What merging needs to stay commutative: who won, the keys of the first and the last tick, and the
    -- highest cumulative day volume (-1 where none was seen).
    origin       smallint         NOT NULL,
    provider_ms  bigint           NOT NULL,
    first_ms     bigint           NOT NULL,
    first_volume bigint           NOT NULL,
    last_ms      bigint           NOT NULL,
    last_volume  bigint           NOT NULL,
    day_volume   bigint           NOT NULL,
    PRIMARY KEY (symbol, timeframe, ts)
) PARTITION BY RANGE (ts);

-- The closed bars that a later revision replaced: seen from updated_at until superseded_at.
CREATE TABLE core.bar_revisions (
    symbol        text             NOT NULL,
    timeframe     text             NOT NULL,
    ts            timestamptz      NOT NULL,
    revision      integer          NOT NULL,
    open          double precision NOT NULL,
    high          double precision NOT NULL,
    low           double precision NOT NULL,
    close         double precision NOT NULL,
    volume        double precision,
    ticks         integer          NOT NULL,
    is_final      boolean          NOT NULL,
    source        text             NOT NULL,
    event_time    timestamptz      NOT NULL,
    received_at   timestamptz      NOT NULL,
    updated_at    timestamptz      NOT NULL,
    superseded_at timestamptz      NOT NULL DEFAULT now(),
    inputs        text             NOT NULL,
    PRIMARY KEY (symbol, timeframe, ts, revision)
);

CREATE TABLE core.indicators (
    symbol         text             NOT NULL,
    timeframe      text             NOT NULL,
    ts             timestamptz      NOT NULL,
    revision       integer          NOT NULL,
    is_final       boolean          NOT NULL,
    sma_4          double precision,
    sma_5          double precision,
    sma_20         double precision,
    sma_50         double precision,
    sma_200        double precision,
    ema_12         double precision,
    ema_26         double precision,
    rsi_14         double precision,
    macd           double precision,
    macd_signal    double precision,
    macd_histogram double precision,
    bb_upper       double precision,
    bb_middle      double precision,
    bb_lower       double precision,
    atr_14         double precision,
    session_vwap   double precision,
    obv            double precision,
    volatility_20  double precision,
    volume_sma_20  double precision,
    roc_10         double precision,
    change         double precision,
    change_pct     double precision,
    -- The kernel's recursive state after this bar (market/indicators.py names the slots); NULL on a forming bar.
    state          double precision[],
    PRIMARY KEY (symbol, timeframe, ts)
) PARTITION BY RANGE (ts);

-- Months are made ahead; what is older than the first month lies in one partition, so that a daily history from 1980 does not
-- make five hundred of them.
CREATE FUNCTION core.ensure_partitions(first_month date, last_month date) RETURNS integer
    LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog AS $$
DECLARE
    parent text;
    month  date;
    made   integer := 0;
BEGIN
    FOREACH parent IN ARRAY ARRAY['bars', 'indicators'] LOOP
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

SELECT core.ensure_partitions((date_trunc('month', now()) - interval '2 months')::date,
                              (date_trunc('month', now()) + interval '3 months')::date);

-- One row a symbol: the newest price of any session, and the close that changes are measured from.
CREATE TABLE core.latest (
    symbol         text             PRIMARY KEY,
    price          double precision NOT NULL,
    session        text             NOT NULL,
    session_date   date             NOT NULL,
    previous_close double precision,
    day_high       double precision,
    day_low        double precision,
    day_volume     double precision,
    event_time     timestamptz      NOT NULL,
    received_at    timestamptz      NOT NULL,
    updated_at     timestamptz      NOT NULL DEFAULT now(),
    source         text             NOT NULL
) WITH (fillfactor = 70);

CREATE TABLE core.corporate_actions (
    symbol      text             NOT NULL,
    ex_date     date             NOT NULL,
    action      text             NOT NULL CHECK (action IN ('split', 'dividend')),
    value       double precision NOT NULL CHECK (value > 0),
    source      text             NOT NULL,
    received_at timestamptz      NOT NULL,
    updated_at  timestamptz      NOT NULL DEFAULT now(),
    PRIMARY KEY (symbol, ex_date, action)
);

-- Counted where the stream commits; `note` is for a person ("unknown symbol: ..."), written by ingestion.
CREATE TABLE core.quality (
    symbol        text        NOT NULL,
    session_date  date        NOT NULL,
    ticks         bigint      NOT NULL DEFAULT 0,
    late          bigint      NOT NULL DEFAULT 0,
    corrected     bigint      NOT NULL DEFAULT 0,
    dead_lettered bigint      NOT NULL DEFAULT 0,
    note          text,
    updated_at    timestamptz NOT NULL DEFAULT now(),
    PRIMARY KEY (symbol, session_date)
) WITH (fillfactor = 70);

-- What the stream refused stands under its place in Kafka, what ingestion refused under the hash of its content.
CREATE TABLE core.dead_letters (
    id             bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    stage          text        NOT NULL CHECK (stage IN ('ingestion', 'stream')),
    reason         text        NOT NULL,
    detail         text        NOT NULL,
    symbol         text        NOT NULL,
    payload        bytea       NOT NULL,
    content_hash   text        NOT NULL,
    topic          text        NOT NULL,
    topic_id       text        NOT NULL,
    kafka_partition integer    NOT NULL,
    kafka_offset   bigint      NOT NULL,
    received_at    timestamptz NOT NULL,
    created_at     timestamptz NOT NULL DEFAULT now(),
    UNIQUE (topic_id, kafka_partition, kafka_offset)
);
CREATE UNIQUE INDEX dead_letters_by_content ON core.dead_letters (content_hash) WHERE stage = 'ingestion';
CREATE INDEX dead_letters_by_time ON core.dead_letters (created_at);

-- Where the next batch of a query begins. A topic created anew has another topic_id and so other rows.
CREATE TABLE core.stream_offsets (
    query          text        NOT NULL,
    cluster_id     text        NOT NULL,
    topic_id       text        NOT NULL,
    partition      integer     NOT NULL,
    topic          text        NOT NULL,
    next_offset    bigint      NOT NULL CHECK (next_offset >= 0),
    epoch          bigint      NOT NULL,
    -- The last clock record of the partition: complete through, without a hole since (milliseconds since the epoch).
    clock_ms       bigint      NOT NULL DEFAULT 0,
    clock_since_ms bigint      NOT NULL DEFAULT 0,
    updated_at     timestamptz NOT NULL DEFAULT now(),
    PRIMARY KEY (query, cluster_id, topic_id, partition)
) WITH (fillfactor = 50);

CREATE TABLE core.stream_epochs (
    query          text        PRIMARY KEY,
    epoch          bigint      NOT NULL,
    kernel_version text        NOT NULL DEFAULT '',
    owner          text        NOT NULL,
    started_at     timestamptz NOT NULL DEFAULT now()
);

-- What is known to be missing, and why. A range of the log that was lost has no symbol; open rows ask for a backfill.
CREATE TABLE core.gaps (
    id         bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    symbol     text        NOT NULL DEFAULT '',
    starts_at  timestamptz NOT NULL,
    ends_at    timestamptz NOT NULL,
    reason     text        NOT NULL,
    detail     text        NOT NULL DEFAULT '',
    state      text        NOT NULL DEFAULT 'open' CHECK (state IN ('open', 'repaired', 'accepted')),
    found_at   timestamptz NOT NULL DEFAULT now(),
    settled_at timestamptz,
    CHECK (starts_at <= ends_at)
);

-- A line from each process about itself, every few seconds: what it is doing, in words for a person.
CREATE TABLE core.service_status (
    name         text        PRIMARY KEY,
    state        text        NOT NULL,
    detail       text        NOT NULL DEFAULT '',
    heartbeat_at timestamptz NOT NULL DEFAULT now()
) WITH (fillfactor = 50);
