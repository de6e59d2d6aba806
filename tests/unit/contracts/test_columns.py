"""The same record as Kafka's JSON, Arrow's and Spark's schema, the fold's row and the staging table's columns."""

import pyarrow as pa
import pytest
from pyspark.sql.pandas.types import from_arrow_schema

from market import indicators
from market.bars import BAR
from market.contracts import FIELD_TYPES, Bar, Tick
from market.topics import TOPICS
from spark_jobs.database.columns import ARROW_TYPES as COLUMN_TYPES
from spark_jobs.database.columns import BAR_COLUMNS, STAGE_COLUMNS, STAGE_SCHEMA, TOPIC_NAMES
from spark_jobs.scan.decode import TICK
from spark_jobs.scan.decode_bars import BAR as BAR_SHAPE
from spark_jobs.scan.one_pass import DEAD_LETTERS, EVENTS, HISTORY
from spark_jobs.scan.partials import PACKED, PACKED_DDL, PARTIALS

pytestmark = pytest.mark.unit


@pytest.mark.parametrize(("record", "shape"), [(Tick, TICK), (Bar, BAR_SHAPE)])
def test_arrow_reads_every_field_of_the_wire_record_and_no_other(record: type[Tick], shape: object) -> None:
    kinds = {str: pa.string(), int: pa.int64(), float: pa.float64(), bool: pa.bool_()}
    envelope = [("v", pa.int64()), ("kind", pa.string())]
    fields = [(name, kinds[kind]) for name, (kind, _) in FIELD_TYPES[record].items()]
    assert shape.schema.equals(pa.schema(envelope + fields))


def test_sparks_ddl_is_the_packed_schema() -> None:
    [field] = from_arrow_schema(PACKED).fields
    assert f"{field.name} {field.dataType.typeName()}" == PACKED_DDL


def test_a_partial_carries_every_field_of_a_bar() -> None:
    renamed = {"event_ms": "ts", "fetched_ms": "received_ms"}
    # The platform has one source, and a record of another is refused before it gets so far.
    assert {renamed.get(name, name) for name in FIELD_TYPES[Bar]} - {"source"} <= set(PARTIALS.names)


# A field of the fold's row → the column that it is kept in.
RENAMED = {
    "end": "bar_end", "event_ms": "event_time", "received_ms": "received_at", "closed": "is_closed", "final": "is_final",
    **dict.fromkeys(("input_topic", "input_partition", "input_first", "input_last"), "inputs"),
}  # fmt: skip


def test_every_field_of_a_folded_row_is_staged() -> None:
    # `session_open` follows from the calendar, and is read back from there.
    kept = {RENAMED.get(name, name) for name in BAR.names} - {"session_open"}
    of_the_series = {"symbol", "timeframe", "session", "source"}
    assert set(BAR_COLUMNS) == kept | of_the_series | {"mean_price"}


def test_every_indicator_is_staged_in_the_kernels_order() -> None:
    assert list(STAGE_COLUMNS) == [*BAR_COLUMNS, *indicators.VALUES, "state"]
    assert pa.schema([(name, COLUMN_TYPES[kind]) for name, kind in STAGE_COLUMNS.items()]) == STAGE_SCHEMA


def test_a_topics_code_is_its_place_among_the_topics() -> None:
    assert [TOPIC_NAMES[code] for code in (EVENTS, HISTORY, DEAD_LETTERS)] == [topic.name for topic in TOPICS]
