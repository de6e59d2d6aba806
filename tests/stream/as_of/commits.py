"""Commits of a known history, each with a copy of what readers saw after it: what `seen` must give back later on.

Revisions are made by the fold and written by the stream's own writer.
"""

import random
from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import Any

from psycopg2.extensions import connection as Connection
from psycopg2.extensions import cursor as Cursor

from market import indicators
from market.as_of import indicators_as_of
from market.timeframes import MINUTE_MS, TIMEFRAMES
from spark_jobs.database.writer import Writer
from tests.stream.test_contracts import DatabaseStore
from tests.unit.market.worlds import BarEvent, ClockEvent, Event, TickEvent

SYMBOL, PARTITION = "BTC-USD", 1


# Three days ago: `seen` is asked by the database's clock, and no bar can be seen before it begins.
DAY = datetime.now(UTC).replace(hour=0, minute=0, second=0, microsecond=0) - timedelta(days=3)


NOON_MS = int(DAY.timestamp() * 1000) + 12 * 60 * MINUTE_MS


Rows = list[tuple[Any, ...]]


COPY_BARS = """
    SELECT timeframe, ts, open, high, low, close, volume, mean_price, revision FROM v1.bars
    WHERE symbol = %s AND session = 'regular' AND is_closed ORDER BY timeframe, ts"""


COPY_INDICATORS = f"""
    SELECT i.timeframe, (extract(epoch FROM i.ts) * 1000)::bigint, {", ".join("i." + name for name in indicators.VALUES)}
    FROM v1.indicators i JOIN v1.bars b USING (symbol, timeframe, ts)
    WHERE symbol = %s AND session = 'regular' AND is_closed ORDER BY timeframe, ts"""  # noqa: S608


@dataclass
class Commit:
    """A transaction of the stream: when it began, a moment while it ran, one after it, and what readers then saw."""

    began_at: datetime
    inside: datetime
    after: datetime
    bars: Rows
    indicators: Rows


@dataclass
class TimedWriter:
    """The stream's writer, which notes when its transaction began and a moment before its end."""

    writer: Writer
    began_at: datetime = field(init=False)
    inside: datetime = field(init=False)

    def write_series(self, cursor: Cursor, changes: Any) -> None:
        cursor.execute("SELECT now()")
        (self.began_at,) = cursor.fetchone() or ()
        self.writer.write_series(cursor, changes)
        cursor.execute("SELECT clock_timestamp()")
        (self.inside,) = cursor.fetchone() or ()

    def write_latest(self, cursor: Cursor, prices: Any) -> None:
        self.writer.write_latest(cursor, prices)


class TimedStore(DatabaseStore):
    """After each commit: the note of it, and a copy of what readers see."""

    def __init__(self, connection: Connection, reader: Connection) -> None:
        super().__init__(connection)
        self.timed = TimedWriter(self.writer)
        self.writer = self.timed  # type: ignore[assignment]
        self.as_reader = reader
        self.commits: list[Commit] = []

    def commit(self, changes: Any) -> None:
        super().commit(changes)
        began_at = self.timed.began_at
        with self.connection, self.connection.cursor() as cursor:
            cursor.execute("INSERT INTO core.commits VALUES (%s, clock_timestamp())", (began_at,))
        after = ask(self.as_reader, "SELECT clock_timestamp()")[0][0]
        bars, values = ask(self.as_reader, COPY_BARS, SYMBOL), ask(self.as_reader, COPY_INDICATORS, SYMBOL)
        self.commits.append(Commit(began_at, self.timed.inside, after, bars, values))


def ask(connection: Connection, query: str, *parameters: Any) -> Rows:
    with connection, connection.cursor() as cursor:
        cursor.execute(query, parameters)
        return cursor.fetchall()


def minute(k: int) -> int:
    return NOON_MS + k * MINUTE_MS


def corrected(k: int, close: float, volume: float, fetched: int) -> BarEvent:
    """The provider's complete row of a minute; `fetched` orders its answers."""
    top, bottom = max(close, 100.0) + 1, min(close, 100.0) - 1
    return BarEvent(SYMBOL, "1m", DAY.date(), minute(k), (100.0, top, bottom, close, volume), minute(600) + fetched)


def batches() -> Iterator[list[Event]]:
    """Minutes from ticks, each batch with corrections of older ones; in the middle two hours before the first are filled in."""
    chance = random.Random(7)
    volume = 0
    for number in range(8):
        events: list[Event] = []
        for k in range(40 * number, 40 * number + 40):
            for part in (1_000, 31_000):
                volume += chance.randrange(50)
                events.append(TickEvent(SYMBOL, minute(k) + part, round(100 + chance.gauss(0, 1), 2), volume))
        events.append(ClockEvent(minute(40 * number + 40), PARTITION))
        yield events
        again = sorted(chance.sample(range(40 * number + 30), 4))
        yield [corrected(k, round(100 + chance.gauss(0, 1), 2), float(chance.randrange(900)), number) for k in again]
        if number == 4:
            yield [corrected(k, round(100 + chance.gauss(0, 1), 2), 500.0, 0) for k in range(-120, 0)]


def bars_as_of(reader: Connection, at: datetime, mode: str) -> Rows:
    """In the form of COPY_BARS."""
    found: Rows = []
    for timeframe in sorted(TIMEFRAMES):
        found += ask(
            reader,
            """SELECT timeframe, ts, open, high, low, close, volume, mean_price, revision FROM v1.bars_as_of(%s, %s, %s, %s)
               ORDER BY ts""",
            SYMBOL, timeframe, at, mode,
        )  # fmt: skip
    return found


def indicators_seen(reader: Connection, at: datetime) -> Rows:
    """In the form of COPY_INDICATORS."""
    found: Rows = []
    with reader, reader.cursor() as cursor:
        for timeframe in sorted(TIMEFRAMES):
            told = indicators_as_of(cursor, SYMBOL, timeframe, at, "seen", count=10_000)
            of_the_kernel = told.values[:, : indicators.N_VALUES].tolist()
            for ts_ms, values in zip(told.ts_ms.tolist(), of_the_kernel, strict=True):
                found.append((timeframe, ts_ms, *(None if number != number else number for number in values)))
    return found
