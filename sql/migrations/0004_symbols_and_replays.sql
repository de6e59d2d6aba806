-- When a symbol's whole history was fetched; and what a person does about dead letters: edits and replays beside the originals.

-- NULL asks for a backfill of the symbol: the live service starts one for a symbol that is added while it runs.
ALTER TABLE core.instruments ADD COLUMN history_at timestamptz;
UPDATE core.instruments i SET history_at = now()
WHERE state = 'ok' AND EXISTS (SELECT FROM core.bars b WHERE b.symbol = i.symbol AND b.timeframe = '1d' LIMIT 1);

CREATE OR REPLACE VIEW v1.instruments AS
SELECT symbol, name, instrument_type, exchange, calendar, timezone, currency, price_precision, has_volume, tracked, state,
       state_detail, source, added_at, updated_at, history_at
FROM core.instruments;

-- The original bytes stay in core.dead_letters as they came; this is what is replayed instead.
CREATE TABLE core.dead_letter_edits (
    letter_id bigint      PRIMARY KEY REFERENCES core.dead_letters (id) ON DELETE CASCADE,
    payload   bytea       NOT NULL,
    edited_at timestamptz NOT NULL DEFAULT now()
);

-- One row a try. A record that was sent is known by its place in Kafka, so that the stream's word about it can be found.
CREATE TABLE core.dead_letter_replays (
    id              bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    letter_id       bigint      NOT NULL REFERENCES core.dead_letters (id) ON DELETE CASCADE,
    outcome         text        NOT NULL CHECK (outcome IN ('sent', 'refused')),
    detail          text        NOT NULL DEFAULT '',
    topic           text,
    kafka_partition integer,
    kafka_offset    bigint,
    replayed_at     timestamptz NOT NULL DEFAULT now(),
    CHECK (outcome = 'refused' OR (topic IS NOT NULL AND kafka_partition IS NOT NULL AND kafka_offset IS NOT NULL))
);
CREATE INDEX dead_letter_replays_by_letter ON core.dead_letter_replays (letter_id, id);
CREATE INDEX dead_letter_replays_by_place ON core.dead_letter_replays (kafka_partition, kafka_offset) WHERE outcome = 'sent';
CREATE INDEX dead_letters_by_place ON core.dead_letters (kafka_partition, kafka_offset);

-- open, edited; refused (the replay itself found it wrong), sent (not committed yet), failed (the stream refused it again; the
-- new letter names the first one in replay_of), replayed.
CREATE OR REPLACE VIEW v1.dead_letters AS
SELECT d.id, d.stage, d.reason, d.detail, d.symbol, d.payload, d.content_hash, d.topic, d.kafka_partition, d.kafka_offset,
       d.received_at, d.created_at,
       CASE WHEN r.id IS NULL OR r.replayed_at < e.edited_at THEN CASE WHEN e.letter_id IS NULL THEN 'open' ELSE 'edited' END
            WHEN r.outcome = 'refused' THEN 'refused'
            WHEN f.id IS NOT NULL THEN 'failed'
            WHEN s.next_offset > r.kafka_offset THEN 'replayed'
            ELSE 'sent' END AS state,
       e.payload AS edited_payload, e.edited_at, r.replayed_at, coalesce(r.tries, 0) AS replays,
       CASE WHEN f.id IS NOT NULL THEN f.reason || ': ' || f.detail ELSE r.detail END AS replay_detail,
       o.letter_id AS replay_of
FROM core.dead_letters d
LEFT JOIN core.dead_letter_edits e ON e.letter_id = d.id
LEFT JOIN LATERAL (
    SELECT p.id, p.outcome, p.detail, p.topic, p.kafka_partition, p.kafka_offset, p.replayed_at, count(*) OVER () AS tries
    FROM core.dead_letter_replays p WHERE p.letter_id = d.id ORDER BY p.id DESC LIMIT 1
) r ON true
LEFT JOIN LATERAL (
    SELECT n.id, n.reason, n.detail FROM core.dead_letters n
    WHERE r.outcome = 'sent' AND n.kafka_partition = r.kafka_partition AND n.kafka_offset = r.kafka_offset
      AND n.topic = r.topic AND n.id > d.id
    ORDER BY n.id DESC LIMIT 1
) f ON true
LEFT JOIN LATERAL (
    SELECT t.next_offset FROM core.stream_offsets t
    WHERE t.topic = r.topic AND t.partition = r.kafka_partition ORDER BY t.updated_at DESC LIMIT 1
) s ON true
LEFT JOIN LATERAL (
    SELECT p.letter_id FROM core.dead_letter_replays p
    WHERE p.outcome = 'sent' AND p.kafka_partition = d.kafka_partition AND p.kafka_offset = d.kafka_offset
      AND p.topic = d.topic AND p.letter_id < d.id
    ORDER BY p.id DESC LIMIT 1
) o ON d.stage = 'stream';
