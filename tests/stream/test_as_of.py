"""As of: what the tables said at a time, against what they did say then; what was true by event time, against the log itself.

Revisions are made by the fold and written by the stream's own writer. After each commit the tables are copied as a reader sees
them: these copies are what `seen` must give back later on.
"""

import random
import re
from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import UTC, date, datetime, timedelta
from itertools import islice, pairwise
from typing import Any

import psycopg2
import pytest
from psycopg2.extensions import connection as Connection
from psycopg2.extensions import cursor as Cursor

from market import indicators
from market.actions import Split, Told
from market.as_of import Mode, indicators_as_of
from market.batches import Batch, Changes
from market.choices import Choices, parse
from market.frames import to_days
from market.timeframes import MINUTE_MS, TIMEFRAMES
from spark_jobs.batch import Scanned
from spark_jobs.reader import Reader
from spark_jobs.writer import Writer
from tests.embedded import Database
from tests.stream.test_contracts import DOCUMENT, DatabaseStore
from tests.unit.market.worlds import INSTRUMENTS, BarEvent, ClockEvent, Event, Fold, TickEvent, batch_of

pytestmark = pytest.mark.stream

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


@pytest.fixture
def reader(postgres: Database) -> Iterator[Connection]:
    connection = psycopg2.connect(postgres.reader)
    yield connection
    connection.close()


@pytest.fixture
def store(postgres: Database, reader: Connection) -> Iterator[TimedStore]:
    connection = psycopg2.connect(postgres.writer)
    with connection, connection.cursor() as cursor:
        cursor.execute(
            """INSERT INTO core.instruments (symbol, calendar, timezone, currency, price_precision, state, source)
               VALUES (%s, '24/7', 'UTC', 'USD', 2, 'ok', 'simulator')""",
            (SYMBOL,),
        )
    yield TimedStore(connection, reader)
    connection.close()


CHOSEN = '["1m"]\nema = [9]\nmacd = [[5, 35, 5]]\nsma = [30]\nbollinger = [[30, 2.5]]\n["5m"]\nrsi = [7]\natr = [7]\nroc = [3]'
COPY_CHOSEN = """
    SELECT v.timeframe, v.name, v.params, (extract(epoch FROM v.ts) * 1000)::bigint, v.value
    FROM v1.indicator_values v JOIN v1.bars b USING (symbol, timeframe, ts)
    WHERE symbol = %s AND session = 'regular' AND is_closed ORDER BY 1, 2, 3, 4"""


def forget_stages(connection: Connection) -> None:
    with connection, connection.cursor() as cursor:
        cursor.execute("DROP TABLE pg_temp.stage, pg_temp.stage_latest, pg_temp.stage_quality")


class ChosenStore(TimedStore):
    """With indicators that a user has added; after each commit a copy of their values, too."""

    def __init__(self, connection: Connection, reader: Connection, chosen: Choices) -> None:
        forget_stages(connection)
        super().__init__(connection, reader)
        forget_stages(connection)
        with connection, connection.cursor() as cursor:
            for choice in chosen.all:
                cursor.execute(
                    "INSERT INTO core.indicator_choices (timeframe, kind, params, code_version) VALUES (%s, %s, %s, 'x')",
                    choice.key,
                )
        self.timed.writer = Writer(connection, "simulator", chosen)
        self.timed.writer.prepare()
        self.reader = Reader(connection, INSTRUMENTS, chosen)
        self.chosen: list[Rows] = []

    def commit(self, changes: Any) -> None:
        super().commit(changes)
        self.chosen.append(ask(self.as_reader, COPY_CHOSEN, SYMBOL))


def chosen_seen(reader: Connection, at: datetime, mode: Mode) -> Rows:
    """In the form of COPY_CHOSEN."""
    found: Rows = []
    with reader, reader.cursor() as cursor:
        for timeframe in ("1m", "5m"):
            told = indicators_as_of(cursor, SYMBOL, timeframe, at, mode, count=10_000)
            for name, params in told.columns[indicators.N_VALUES :]:
                for ts_ms, value in zip(told.ts_ms.tolist(), told.value(name, params).tolist(), strict=True):
                    found.append((timeframe, name, params, ts_ms, None if value != value else value))
    return sorted(found, key=lambda row: row[:4])


def test_indicators_that_a_user_has_added_are_seen_as_they_stood_after_each_commit(
    store: TimedStore, reader: Connection
) -> None:
    chosen = parse(CHOSEN)
    with_choices = ChosenStore(store.connection, reader, chosen)
    fold = Fold(with_choices, chosen)
    for events in islice(batches(), 11):
        fold.step(events)
    assert len({str(rows) for rows in with_choices.chosen}) == 11, "every commit changed something"
    assert {row[1] for row in with_choices.chosen[-1]} >= {"ema", "macd_signal", "sma", "bb_upper", "rsi", "atr", "roc"}
    for commit, rows in zip(with_choices.commits, with_choices.chosen, strict=True):
        assert chosen_seen(reader, commit.after, "seen") == rows
        assert indicators_seen(reader, commit.after) == commit.indicators
    told = chosen_seen(reader, DAY + timedelta(hours=13), "event")
    known_now = {row[:4]: row for row in with_choices.chosen[-1]}
    assert {row[3] for row in told if row[0] == "5m"} == {minute(k) for k in range(-120, 60, 5)}
    assert all(known_now[row[:4]] == row for row in told)


def test_a_choice_whose_history_is_being_written_is_not_there_yet(store: TimedStore, reader: Connection) -> None:
    with_choices = ChosenStore(store.connection, reader, parse(CHOSEN))
    Fold(with_choices, parse(CHOSEN)).step(next(batches()))
    with store.connection, store.connection.cursor() as cursor:
        cursor.execute("UPDATE core.indicator_choices SET code_version = '' WHERE kind = 'macd'")
    with reader, reader.cursor() as cursor:
        told = indicators_as_of(cursor, SYMBOL, "1m", with_choices.commits[-1].after, "seen")
    assert told.columns[indicators.N_VALUES :] == [
        ("sma", "30"), ("ema", "9"), ("bb_upper", "30,2.5"), ("bb_middle", "30,2.5"), ("bb_lower", "30,2.5")
    ]  # fmt: skip
    with pytest.raises(ValueError, match="macd"):
        told.value("macd", "5,35,5")


def test_indicators_across_a_split_are_seen_with_the_splits_that_were_known(
    store: TimedStore, reader: Connection
) -> None:
    #   days          1 .................. 60 | split 4:1 ................ 80
    #   commits       all days, as printed    | the split becomes known    | a correction before it | it was 5:1
    #   asked         after each: as the tables said then
    chosen = parse('["1d"]\nema = [9]\nsma = [15]\nrsi = [7]')
    with_choices = ChosenStore(store.connection, reader, chosen)
    first = (DAY - timedelta(days=90)).date()
    days = [first + timedelta(days=k) for k in range(80)]
    closes = [round(400 + 3 * (k % 7) - k / 10, 2) / (4 if k >= 60 else 1) for k in range(80)]

    def rows(chance: float = 0.0) -> list[Event]:
        return [
            BarEvent(
                SYMBOL, "1d", day, int(datetime(day.year, day.month, day.day, tzinfo=UTC).timestamp() * 1000),
                (close, close + 1, close - 1, close + chance, 50.0), NOON_MS + round(chance),
            )
            for day, close in zip(days, closes, strict=True)
        ]  # fmt: skip

    fold = Fold(with_choices, chosen)

    def take(events: list[Event], *told: tuple[float, int]) -> None:
        batch = batch_of(events)
        batch.splits = [Split(SYMBOL, to_days(days[60]), Told(received_ms, ratio)) for ratio, received_ms in told]
        actions = [
            {"symbol": SYMBOL, "ex_date": days[60], "action": "split", "close": ratio, "received_ms": received_ms}
            for ratio, received_ms in told
        ]
        changes = fold.book.apply(batch)
        with store.connection, store.connection.cursor() as cursor:
            with_choices.timed.writer.write(cursor, Changes(), Scanned(Batch(), actions=actions), {}, 0)
        with_choices.commit(changes)
        fold.book.published()

    take(rows())
    take([], (4.0, 1_000))
    take(rows(0.25)[50:52])
    take([], (5.0, 2_000))
    assert len({str(commit.indicators) for commit in with_choices.commits}) == 4, "every commit changed something"
    for commit, copied in zip(with_choices.commits, with_choices.chosen, strict=True):
        assert indicators_seen(reader, commit.after) == commit.indicators
        of_days = [row for row in copied if row[0] == "1d"]
        with reader, reader.cursor() as cursor:
            told = indicators_as_of(cursor, SYMBOL, "1d", commit.after, "seen", count=25)
        for name, params in (("ema", "9"), ("sma", "15"), ("rsi", "7")):
            expected = [row[4] for row in of_days if row[1:3] == (name, params)][-25:]
            assert told.value(name, params).tolist() == expected
    # An average of fifteen closes around 400 printed, and around 100 after the split: by hand, in the shares after it.
    [sma] = [row[4] for row in with_choices.chosen[1] if row[:4] == ("1d", "sma", "15", ms_of(days[62]))]
    assert sma == pytest.approx((sum(closes[48:60]) / 4 + sum(closes[60:63])) / 15)


def ms_of(day: date) -> int:
    return int(datetime(day.year, day.month, day.day, tzinfo=UTC).timestamp() * 1000)


@pytest.fixture
def history(store: TimedStore) -> list[Commit]:
    fold = Fold(store)
    for events in batches():
        fold.step(events)
    return store.commits


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


def test_seen_is_what_the_tables_said_after_each_commit(reader: Connection, history: list[Commit]) -> None:
    #   commit   1     2     3  ...        asked when all are done, at a time after each of them:
    #   asked       ^     ^     ^          bars with their revision numbers and all indicators, to the last bit
    assert len({str(commit.bars) for commit in history}) == len(history), "every commit changed something"
    for commit in history:
        assert bars_as_of(reader, commit.after, "seen") == commit.bars
        assert indicators_seen(reader, commit.after) == commit.indicators


def test_what_was_not_committed_yet_was_not_seen(reader: Connection, history: list[Commit]) -> None:
    #   transaction 2      began |------------| committed
    #   asked                         ^ sees what transaction 1 left
    assert bars_as_of(reader, history[0].inside, "seen") == []
    for before, commit in pairwise(history):
        assert bars_as_of(reader, commit.inside, "seen") == before.bars
        assert bars_as_of(reader, commit.began_at, "seen") == before.bars
    assert indicators_seen(reader, history[5].inside) == history[4].indicators


def test_a_commit_that_nobody_noted_counts_from_its_beginning(store: TimedStore, reader: Connection) -> None:
    """The writer died after COMMIT: the transaction is known by the time it began."""
    fold = Fold(store)
    for events in islice(batches(), 2):
        fold.step(events)
    first, second = store.commits
    with store.connection, store.connection.cursor() as cursor:
        cursor.execute("DELETE FROM core.commits")
    assert bars_as_of(reader, second.inside, "seen") == second.bars
    assert bars_as_of(reader, second.began_at - timedelta(microseconds=1), "seen") == first.bars


def test_before_the_first_commit_nothing_was_seen_and_yet_it_was_true(
    reader: Connection, history: list[Commit]
) -> None:
    #   event time     10:00 ... 12:00 ... 13:00            bars begin at 10:00 (backfilled), ticks at 12:00
    #   commits                                   today
    #   asked                          ^ 12:30
    at = DAY + timedelta(hours=12, minutes=30)
    assert bars_as_of(reader, at, "seen") == []
    true = bars_as_of(reader, at, "event")
    of_minutes = [row for row in true if row[0] == "1m"]
    assert [row[1] for row in of_minutes] == [DAY + timedelta(minutes=m) for m in range(600, 750)]
    now = {(row[0], row[1]): row for row in history[-1].bars}
    assert all(now[row[0], row[1]] == row for row in true), "in the form that is known today"
    assert not [row for row in true if row[0] in ("1d", "1w", "1mo")], "the day had not ended"


def test_event_time_takes_the_last_correction_and_says_since_when_it_is_known(
    store: TimedStore, reader: Connection
) -> None:
    fold = Fold(store)
    fold.step([TickEvent(SYMBOL, minute(0) + 1, 100.0, 10), ClockEvent(minute(1), PARTITION)])
    fold.step([corrected(0, 107.0, 70.0, 1)])
    fold.step([corrected(0, 105.0, 50.0, 2)])
    first, second, third = store.commits
    # The first tick, in the middle of a session, has a day volume and nothing before it to count from: the minute's volume is 0.
    query = """SELECT close, volume, revision, known_since, superseded_at, mode::text, as_of
               FROM v1.bars_as_of(%s, '1m', %s, %s)"""
    at = DAY + timedelta(hours=12, minutes=1)
    assert ask(reader, query, SYMBOL, at, "event") == [(105.0, 50.0, 2, third.began_at, None, "event", at)]
    assert ask(reader, query, SYMBOL, at - timedelta(seconds=1), "event") == [], "the minute had not ended"
    assert [ask(reader, query, SYMBOL, commit.after, "seen") for commit in store.commits] == [
        [(100.0, 0.0, 0, first.began_at, second.began_at, "seen", first.after)],
        [(107.0, 70.0, 1, second.began_at, third.began_at, "seen", second.after)],
        [(105.0, 50.0, 2, third.began_at, None, "seen", third.after)],
    ]


def test_indicators_by_event_time_are_the_stored_ones_of_bars_that_had_ended(
    reader: Connection, history: list[Commit]
) -> None:
    at = DAY + timedelta(hours=13)
    stored = {(row[0], row[1]): row[2:] for row in history[-1].indicators}
    with reader, reader.cursor() as cursor:
        told = indicators_as_of(cursor, SYMBOL, "5m", at, "event", count=4)
    assert told.ts_ms.tolist() == [minute(k) for k in (40, 45, 50, 55)]
    assert not told.computed.any()
    for ts_ms, values in zip(told.ts_ms.tolist(), told.values.tolist(), strict=True):
        assert tuple(None if number != number else number for number in values) == stored["5m", ts_ms]


def test_stored_values_are_taken_up_to_the_first_bar_that_changed_later(
    reader: Connection, history: list[Commit]
) -> None:
    """The last commit but one saw everything before the last commit's oldest correction as it stands now."""
    before, last = history[-2:]
    oldest = next(ts for ts, row in sorted(changed(before, last)) if row)
    with reader, reader.cursor() as cursor:
        told = indicators_as_of(cursor, SYMBOL, "1m", before.after, "seen", count=10_000)
        short = indicators_as_of(cursor, SYMBOL, "1m", before.after, "seen", count=7)
    assert told.ts_ms[told.computed].tolist()[0] == int(oldest.timestamp() * 1000)
    assert 0 < told.computed.sum() < len(told.computed)
    assert short.ts_ms.tolist() == told.ts_ms[-7:].tolist()
    assert short.values.tobytes() == told.values[-7:].tobytes()


def changed(before: Commit, after: Commit) -> list[tuple[datetime, bool]]:
    """(start, whether its row differs) of the minutes that both commits knew."""
    new = {row[1]: row for row in after.bars if row[0] == "1m"}
    return [(row[1], new[row[1]] != row) for row in before.bars if row[0] == "1m"]


def test_another_mode_is_refused_and_a_time_needs_a_zone(reader: Connection, history: list[Commit]) -> None:
    with pytest.raises(psycopg2.errors.InvalidTextRepresentation, match="as_of_mode"):
        bars_as_of(reader, history[0].after, "believed")
    with reader, reader.cursor() as cursor:
        with pytest.raises(ValueError, match="zone"):
            indicators_as_of(cursor, SYMBOL, "1m", datetime(2026, 1, 1), "seen")  # noqa: DTZ001
        with pytest.raises(LookupError, match="NOBODY"):
            indicators_as_of(cursor, "NOBODY", "1m", history[0].after, "seen")


def test_the_documented_questions_are_answered(reader: Connection, history: list[Commit]) -> None:
    examples = re.search(r"## As of a time.*?```sql\n(.*?)```", DOCUMENT.read_text(), re.DOTALL)
    assert examples is not None
    at = (DAY + timedelta(hours=12, minutes=30)).isoformat()
    asked = examples[1].replace("AAPL", SYMBOL).replace("2026-11-20 15:45+00", at).split(";")[:2]
    assert [len(ask(reader, question.replace("%", "%%"))) for question in asked] == [0, 150], "all was filled in later"


def test_the_answer_walks_the_index_and_stops_where_the_limit_says(reader: Connection, history: list[Commit]) -> None:
    """PostgreSQL inlines the function: it is part of the caller's plan, with the key's index below a limit and no sort."""
    query = "EXPLAIN SELECT ts, close FROM v1.bars_as_of(%s, '1m', %s, 'seen') ORDER BY ts DESC LIMIT 5"
    plan = "\n".join(line for (line,) in ask(reader, query, SYMBOL, history[-1].after))
    assert "Function Scan" not in plan
    assert "_pkey" in plan
    assert "Sort" not in plan
