"""The SQL of a batch's transaction, built once from the column lists."""

from market import indicators
from spark_jobs.database.columns import BAR_COLUMNS, LATEST_COLUMNS, QUALITY_COLUMNS, STAGE_COLUMNS

KEY = ("symbol", "timeframe", "ts")


def _list(names: list[str], prefix: str = "") -> str:
    return ", ".join(prefix + name for name in names)


BAR_NAMES = list(BAR_COLUMNS)
INDICATOR_NAMES = [*KEY, "revision", "is_final", *indicators.VALUES, "state"]


def _updates(names: list[str]) -> str:
    return ", ".join(f"{name} = excluded.{name}" for name in names if name not in KEY)


STAGES = {"stage": STAGE_COLUMNS, "stage_latest": LATEST_COLUMNS, "stage_quality": QUALITY_COLUMNS}
CREATE_STAGES = "; ".join(
    f"CREATE TEMP TABLE {stage} ("
    + ", ".join(f"{name} {kind}" for name, kind in columns.items())
    + ") ON COMMIT DELETE ROWS"
    for stage, columns in STAGES.items()
)
EMPTY_STAGES = f"TRUNCATE {', '.join(f'pg_temp.{stage}' for stage in STAGES)}"
COPY_STAGE = "COPY pg_temp.{} FROM STDIN (FORMAT binary)"
COPY_BARS = f"COPY core.bars ({_list(BAR_NAMES)}) FROM STDIN (FORMAT binary)"
COPY_INDICATORS = f"COPY core.indicators ({_list(INDICATOR_NAMES)}) FROM STDIN (FORMAT binary)"

# `updated_at` is the commit since which a reader sees these prices: a flag alone does not move it.
UPSERT_BARS = f"""
    INSERT INTO core.bars AS b ({_list(BAR_NAMES)})
    SELECT {_list(BAR_NAMES)} FROM pg_temp.stage
    ON CONFLICT (symbol, timeframe, ts) DO UPDATE SET {_updates(BAR_NAMES)},
        updated_at = CASE WHEN (b.open, b.high, b.low, b.close, b.volume, b.is_closed) IS NOT DISTINCT FROM
            (excluded.open, excluded.high, excluded.low, excluded.close, excluded.volume, excluded.is_closed)
            THEN b.updated_at ELSE excluded.updated_at END"""  # noqa: S608

UPSERT_INDICATORS = f"""
    INSERT INTO core.indicators ({_list(INDICATOR_NAMES)})
    SELECT {_list(INDICATOR_NAMES)} FROM pg_temp.stage WHERE session = 'regular'
    ON CONFLICT (symbol, timeframe, ts) DO UPDATE SET {_updates(INDICATOR_NAMES)}"""  # noqa: S608

# The rows as they stand are the ones that the batch replaces; run before the bars are written.
KEEP_REVISIONS = """
    INSERT INTO core.bar_revisions (symbol, timeframe, ts, revision, open, high, low, close, volume, ticks, is_final, source,
                                    event_time, received_at, updated_at, inputs, origin)
    SELECT b.symbol, b.timeframe, b.ts, b.revision, b.open, b.high, b.low, b.close, b.volume, b.ticks, b.is_final, b.source,
           b.event_time, b.received_at, b.updated_at, b.inputs, b.origin
    FROM core.bars b
    JOIN unnest(%s::text[], %s::text[], %s::bigint[]) AS r (symbol, timeframe, ts_ms)
        ON b.symbol = r.symbol AND b.timeframe = r.timeframe AND b.ts = to_timestamp(r.ts_ms / 1000.0)"""

UPSERT_LATEST = f"""
    INSERT INTO core.latest ({_list([*LATEST_COLUMNS])})
    SELECT {_list([*LATEST_COLUMNS])} FROM pg_temp.stage_latest
    ON CONFLICT (symbol) DO UPDATE SET {_updates([*LATEST_COLUMNS])}, updated_at = excluded.updated_at"""  # noqa: S608

ADD_QUALITY = f"""
    INSERT INTO core.quality AS q ({_list([*QUALITY_COLUMNS])})
    SELECT {_list([*QUALITY_COLUMNS])} FROM pg_temp.stage_quality
    ON CONFLICT (symbol, session_date) DO UPDATE SET ticks = q.ticks + excluded.ticks, late = q.late + excluded.late,
        corrected = q.corrected + excluded.corrected, dead_lettered = q.dead_lettered + excluded.dead_lettered,
        updated_at = excluded.updated_at"""  # noqa: S608

ADD_DEAD_LETTERS = """
    INSERT INTO core.dead_letters (stage, reason, detail, symbol, payload, content_hash, topic, topic_id, kafka_partition,
                                   kafka_offset, received_at)
    VALUES %s
    ON CONFLICT DO NOTHING
    RETURNING topic_id, kafka_partition, kafka_offset"""
DEAD_LETTER_ROW = "(%s, %s, %s, %s, %s, %s, %s, %s, %s, %s, coalesce(to_timestamp(%s / 1000.0), now()))"

# What was told last counts, of two words at once the greater value (market.actions.Told): no matter in which order they come.
# `updated_at` is since when a reader sees this value: the same word told again does not move it.
UPSERT_ACTIONS = """
    INSERT INTO core.corporate_actions AS a (symbol, ex_date, action, value, source, received_at)
    VALUES %s
    ON CONFLICT (symbol, ex_date, action) DO UPDATE SET value = excluded.value, received_at = excluded.received_at,
        updated_at = CASE WHEN a.value = excluded.value THEN a.updated_at ELSE now() END
    WHERE (excluded.received_at, excluded.value) > (a.received_at, a.value)"""
# The rows as they stand are the ones that the batch replaces; run before the actions are written. What was taken back (0) is none.
KEEP_ACTION_REVISIONS = """
    INSERT INTO core.corporate_action_revisions (symbol, ex_date, action, value, source, received_at, updated_at)
    SELECT a.symbol, a.ex_date, a.action, a.value, a.source, a.received_at, a.updated_at
    FROM core.corporate_actions a
    JOIN (VALUES %s) AS n (symbol, ex_date, action, value, source, received_at) USING (symbol, ex_date, action)
    WHERE n.value <> a.value AND a.value > 0 AND (n.received_at, n.value) > (a.received_at, a.value)"""
ACTION_ROW = "(%s, %s::date, %s, %s::float8, %s, to_timestamp(%s / 1000.0))"
