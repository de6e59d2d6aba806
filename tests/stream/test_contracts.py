"""Migrations, staging table, fold and documentation agree; and what is written is read back as it was."""

import re
from collections.abc import Iterator
from itertools import pairwise
from pathlib import Path

import numpy as np
import psycopg2
import pytest
from psycopg2.extensions import connection as Connection

from market import indicators
from market.batches import Changes
from market.memory import Newest
from market.series import SeriesKey
from spark_jobs.database.columns import BAR_COLUMNS, INDICATOR_COLUMNS
from spark_jobs.database.reader import MAY_BE_NULL, Reader, read_latest
from spark_jobs.database.statements import KEY
from spark_jobs.database.writer import Writer
from tests.embedded import Database
from tests.unit.market.folds import Fold, MemoryStore, difference
from tests.unit.market.worlds import (
    FRIDAY,
    INSTRUMENTS,
    MONDAY,
    TUESDAY,
    BarEvent,
    ClockEvent,
    Event,
    TickEvent,
    open_ms,
)

pytestmark = pytest.mark.stream

MINUTE_MS = 60_000
DOCUMENT = Path(__file__).parents[2] / "docs" / "database.md"

# PostgreSQL's own name of a type → as the staging table is declared.
TYPES = {"_float8": "float8[]"}


@pytest.fixture
def writer_connection(postgres: Database) -> Iterator[Connection]:
    connection = psycopg2.connect(postgres.writer)
    yield connection
    connection.close()


def columns_of(connection: Connection, schema: str, table: str) -> dict[str, tuple[str, bool, bool]]:
    """Column → (type, may be NULL, has a default), in the table's order."""
    with connection, connection.cursor() as cursor:
        cursor.execute(
            """SELECT column_name, udt_name, is_nullable = 'YES', column_default IS NOT NULL
               FROM information_schema.columns WHERE table_schema = %s AND table_name = %s ORDER BY ordinal_position""",
            (schema, table),
        )
        return {
            name: (TYPES.get(kind, kind), may_be_null, has_default) for name, kind, may_be_null, has_default in cursor
        }


def test_the_table_of_bars_has_the_columns_that_are_staged(writer_connection: Connection) -> None:
    columns = columns_of(writer_connection, "core", "bars")
    assert {name: kind for name, (kind, _, _) in columns.items() if name != "updated_at"} == BAR_COLUMNS
    assert columns["updated_at"] == ("timestamptz", False, True)
    assert [name for name, (_, may_be_null, _) in columns.items() if may_be_null] == list(MAY_BE_NULL)


def test_the_table_of_indicators_has_the_columns_that_are_staged(writer_connection: Connection) -> None:
    columns = columns_of(writer_connection, "core", "indicators")
    of_the_bar = {name: BAR_COLUMNS[name] for name in (*KEY, "revision", "is_final")}
    assert {name: kind for name, (kind, _, _) in columns.items()} == of_the_bar | INDICATOR_COLUMNS
    assert {name for name, (_, may_be_null, _) in columns.items() if may_be_null} == set(INDICATOR_COLUMNS)
    assert tuple(name for name in columns if name in indicators.VALUES) == indicators.VALUES


# What readers were promised first; later columns may follow, none may go or move before these.
PROMISED = {
    "bars": """symbol timeframe ts bar_end session_date session open high low close volume ticks mean_price is_closed is_final
               revision source event_time received_at updated_at inputs""",
    "indicators": """symbol timeframe ts revision is_final sma_4 sma_5 sma_20 sma_50 sma_200 ema_12 ema_26 rsi_14 macd macd_signal
                     macd_histogram bb_upper bb_middle bb_lower atr_14 session_vwap obv volatility_20 volume_sma_20 roc_10 change
                     change_pct""",
    "latest": "symbol price change day_high day_low week52_high week52_low age_s",
    "quality": "symbol session_date missing late dead_lettered",
    "gaps": "symbol starts_at ends_at reason state",
    "dead_letters": "reason payload kafka_partition kafka_offset",
}  # fmt: skip


@pytest.mark.parametrize("view", PROMISED)
def test_a_view_keeps_the_columns_it_was_published_with(writer_connection: Connection, view: str) -> None:
    promised = PROMISED[view].split()
    columns = [name for name in columns_of(writer_connection, "v1", view) if name in promised]
    assert columns == promised


def test_the_documentation_lists_every_view_with_its_columns_in_order(writer_connection: Connection) -> None:
    documented = {}
    for line in DOCUMENT.read_text().splitlines():
        row = re.fullmatch(r"\| `v1\.(\w+)` \|[^|]*\|([^|]*)\|", line)
        if row:
            documented[row[1]] = [name.strip() for name in re.sub(r"\([^)]*\)", "", row[2]).split(",")]
    with writer_connection, writer_connection.cursor() as cursor:
        cursor.execute("SELECT table_name FROM information_schema.views WHERE table_schema = 'v1'")
        views = [row[0] for row in cursor.fetchall()]
    assert documented == {view: list(columns_of(writer_connection, "v1", view)) for view in views}


class DatabaseStore(MemoryStore):
    """The real database behind `worlds.Fold`: commits through the stream's writer, reads through its reader."""

    def __init__(self, connection: Connection) -> None:
        super().__init__()
        self.connection = connection
        self.writer = Writer(connection, "simulator")
        self.writer.prepare()
        self.reader = Reader(connection, INSTRUMENTS)

    def commit(self, changes: Changes) -> None:
        super().commit(changes)
        with self.connection, self.connection.cursor() as cursor:
            self.writer.write_series(cursor, changes.series)
            self.writer.write_latest(cursor, changes.latest)
        with self.connection:
            told = read_latest(self.connection, INSTRUMENTS)
        self.latest = {symbol: told.rows[k : k + 1] for k, symbol in enumerate(told.symbols)}

    def rows_before(self, key: SeriesKey, ts_ms: int, count: int):  # type: ignore[no-untyped-def]
        with self.connection:
            return self.reader.rows_before(key, ts_ms, count)

    def newest(self, keys: list[SeriesKey], count: int, whole: list[int]) -> list[Newest]:  # type: ignore[override]
        with self.connection:
            return list(self.reader.newest(keys, count, whole))

    def first_sessions(self, keys: list[SeriesKey]) -> list[int | None]:
        with self.connection:
            return self.reader.first_sessions(keys)


def a_long_weekend() -> list[Event]:
    """Ticks and the provider's rows over two sessions of New York and a few days of a coin, with corrections."""
    friday, monday, coin = open_ms("AAPL", FRIDAY), open_ms("AAPL", MONDAY), open_ms("BTC-USD", MONDAY)
    events: list[Event] = []
    for k in range(60):
        events.append(TickEvent("AAPL", friday + k * MINUTE_MS + 1_000, 100 + k / 100, 10 * k, "regular", 110 + k))
        events.append(TickEvent("BTC-USD", coin + k * 30_000, 50 - k / 50, 1 if k % 7 else -1))
        if k % 20 == 19:
            events += [ClockEvent(friday + k * MINUTE_MS, 0), ClockEvent(coin + k * 30_000, 1)]
    events.append(TickEvent("AAPL", friday - 3_600_000, 99.0, 5, "ext"))
    events += [
        BarEvent(
            "AAPL", "1m", FRIDAY, friday + k * MINUTE_MS, (100, 102, 99, 101 + k / 10, 500.0), friday + 100 * MINUTE_MS
        )
        for k in range(0, 60, 9)
    ]
    events.append(BarEvent("AAPL", "1d", FRIDAY, friday, (100, 103, 99, 102, float("nan")), monday))
    events += [TickEvent("AAPL", monday + k * 20_000, 103.5, 7, "regular", 104 + k, 103 - k) for k in range(9)]
    end_ms = open_ms("AAPL", TUESDAY)
    return [
        *events,
        ClockEvent(end_ms, 0),
        ClockEvent(end_ms, 1),
        TickEvent("AAPL", end_ms + 5, 104.0, 1, "regular", 105.0),
    ]


def test_what_the_fold_writes_is_what_it_reads_back(writer_connection: Connection) -> None:
    """Through COPY BINARY, the upserts and the reader: the same rows, states and values, with restarts in between and without."""
    with writer_connection, writer_connection.cursor() as cursor:
        cursor.execute("SELECT core.ensure_partitions(now()::date, greatest(now()::date, date '2026-12-01'))")
    events = a_long_weekend()
    bounds = [0, 13, 40, 41, 90, 128, len(events)]
    plain, stored = Fold(), Fold(DatabaseStore(writer_connection))
    for number, (a, b) in enumerate(pairwise(bounds)):
        plain.step(events[a:b])
        if number:
            stored.restart()
        stored.step(events[a:b])
    assert difference(plain.store, stored.store) == ""
    known, read = ({symbol: str(row) for symbol, row in fold.store.latest.items()} for fold in (plain, stored))
    assert read == known
    days = [(row["quoted_high"], row["quoted_low"]) for row in stored.store.bars(SeriesKey("AAPL", "1d", "regular"))]
    assert str(days[:2]) == "[(169.0, nan), (112.0, 95.0)]"
    for key, table in stored.store.rows.items():
        rows, states, values, is_all = stored.store.rows_before(key, int(np.iinfo(np.int64).max), 10_000)
        kept = [table[ts] for ts in sorted(table)]
        assert is_all
        assert [str(row) for row in rows.tolist()] == [str(row) for row, _, _ in kept]
        assert values.tobytes() == np.array([values for _, _, values in kept]).tobytes()
        if key.session == "regular":
            assert states.tobytes() == np.array([state for _, state, _ in kept]).tobytes()
    revised = [row["revision"] for row in stored.store.bars(SeriesKey("AAPL", "1m", "regular"))]
    with writer_connection, writer_connection.cursor() as cursor:
        cursor.execute("SELECT count(*) FROM v1.bar_revisions WHERE timeframe = '1m' AND symbol = 'AAPL'")
        assert cursor.fetchone() == (sum(revised),)
    assert sum(revised) == 7


def test_a_split_between_two_ticks_is_no_change(writer_connection: Connection) -> None:
    """A 4:1 split of Monday: Friday's 400 was 100 in Monday's shares."""
    times = [open_ms("AAPL", FRIDAY), open_ms("AAPL", MONDAY)]
    with writer_connection, writer_connection.cursor() as cursor:
        cursor.execute(
            """INSERT INTO core.instruments (symbol, calendar, timezone, currency, price_precision, state, source)
               VALUES ('AAPL', 'XNYS', 'America/New_York', 'USD', 2, 'ok', 'simulator')"""
        )
        cursor.execute(
            """INSERT INTO core.latest (symbol, price, session, session_date, event_time, received_at, source,
                                        before_ms, before_price, tick_ms, tick_price)
               VALUES ('AAPL', 101, 'regular', %s, now(), now(), 'simulator', %s, 400, %s, 101)""",
            (MONDAY, *times),
        )
        cursor.execute(
            """INSERT INTO core.corporate_actions (symbol, ex_date, action, value, source, received_at)
               VALUES ('AAPL', %s, 'split', 4, 'simulator', now())""",
            (MONDAY,),
        )
        cursor.execute("SELECT tick_change, round(tick_change_pct::numeric, 9)::float8 FROM v1.latest")
        assert cursor.fetchall() == [(1.0, 1.0)]
        cursor.execute("UPDATE core.latest SET before_ms = NULL, before_price = NULL")
        cursor.execute("SELECT tick_change, tick_change_pct FROM v1.latest")
        assert cursor.fetchall() == [(None, None)]
