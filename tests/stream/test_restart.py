"""What a start reads back: bars of any age that still wait, and every series as it was committed."""

import numpy as np
import psycopg2
import pytest
import structlog
from psycopg2.extensions import connection as Connection

from market import memory
from market.arena import WINDOW
from market.book import Book
from market.chosen import NOTHING
from market.series import SeriesKey
from market.timeframes import TIMEFRAMES
from spark_jobs.database import ledger
from spark_jobs.database.reader import Reader
from spark_jobs.database.two_readers import TwoReaders
from spark_jobs.database.writer import Writer
from spark_jobs.held import AWAY
from spark_jobs.start import rebuild
from tests.embedded import Database
from tests.unit.market.folds import Fold, MemoryStore, difference
from tests.unit.market.worlds import FRIDAY, INSTRUMENTS, BarEvent, ClockEvent, Event, TickEvent, batch_of, open_ms

pytestmark = pytest.mark.stream

COIN = "BTC-USD"
MINUTE_MS = 60_000


def minutes(first: int, count: int) -> list[Event]:
    start = open_ms(COIN, FRIDAY)
    rng = np.random.default_rng(first)
    return [
        BarEvent(COIN, "1m", FRIDAY, start + k * MINUTE_MS, (price, price + 1, price - 1, price, 3.0), start + (k + 9) * MINUTE_MS)
        for k, price in zip(range(first, first + count), (rng.integers(9_000, 9_100, count) / 100).tolist(), strict=True)
    ]  # fmt: skip


def test_a_start_finds_a_bar_that_was_left_open_long_before_memory(
    postgres: Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    #   minute 0 (tick, no clock yet) | 1 ........ 700 complete, from history |     restart     clock passes all
    monkeypatch.setattr(memory, "KEEP_ROWS", 50)
    start = open_ms(COIN, FRIDAY)
    events = [TickEvent(COIN, start + 500, 90.0, 1), *minutes(1, 700)]
    clock = [ClockEvent(start + 800 * MINUTE_MS, partition) for partition in (0, 1)]
    undisturbed, store = Fold(), MemoryStore()
    connection = psycopg2.connect(postgres.writer)
    writer = Writer(connection, "simulator")
    writer.prepare()
    book = Book(Reader(connection, INSTRUMENTS), INSTRUMENTS)
    for batch in (events, clock):
        undisturbed.step(batch)
        with connection, connection.cursor() as cursor:
            changes = book.apply(batch_of(batch))
            writer.write_series(cursor, changes.series)
        store.commit(changes)
        book = Book(Reader(connection, INSTRUMENTS), INSTRUMENTS)
        with connection:
            rebuild.wake(book, connection)
    assert difference(undisturbed.store, store) == ""
    with connection, connection.cursor() as cursor:
        cursor.execute(
            "SELECT count(*) FROM core.bars WHERE NOT is_closed AND bar_end <= to_timestamp(%s)", (clock[0].ms / 1e3,)
        )
        assert cursor.fetchone() == (0,)
    connection.close()


def test_series_read_back_together_are_what_was_written(postgres: Database) -> None:
    connection = psycopg2.connect(postgres.writer)
    writer, fold = Writer(connection, "simulator"), Fold()
    writer.prepare()
    clock = ClockEvent(open_ms(COIN, FRIDAY) + 90 * MINUTE_MS, 1)
    for batch in (minutes(0, 90), [clock, TickEvent(COIN, clock.ms + 10, 91.0, 7)]):
        changes = fold.step(batch)
        with connection, connection.cursor() as cursor:
            writer.write_series(cursor, changes.series)
    reader, keys = Reader(connection, INSTRUMENTS), list(fold.store.rows)
    assert len(keys) == 8
    with connection:
        read = list(reader.rows_before_each(keys, [memory.NEVER_MS] * 8, [40] * 8))
        [newest] = reader.newest(keys, 40, [3] * 8)
    assert newest.keys == keys
    last, last_whole = np.cumsum(newest.counts).tolist(), np.cumsum(newest.counts - newest.bare).tolist()
    for k, (key, (rows, states, values, is_all)) in enumerate(zip(keys, read, strict=True)):
        expected = fold.store.rows_before(key, 1 << 60, 40)
        assert is_all == newest.is_all[k] == expected[3] == (key != SeriesKey(COIN, "1m", "regular"))
        for name in rows.dtype.names:
            np.testing.assert_array_equal(rows[name], expected[0][name], err_msg=f"{key} {name}")
        np.testing.assert_array_equal(states, expected[1])
        np.testing.assert_array_equal(values, expected[2])
        # What was read for a start: the same, but that all final rows before the newest three have only what a window reads.
        waiting = np.flatnonzero(~rows["final"]).tolist()
        bare = min([max(0, len(rows) - 3), *waiting])
        assert (newest.counts[k], newest.bare[k]) == (len(rows), bare)
        whole, told = slice(last[k] - len(rows) + bare, last[k]), slice(last_whole[k] - len(rows) + bare, last_whole[k])
        assert newest.rows[whole].tobytes() == rows[bare:].tobytes()
        assert newest.states[told].tobytes() == states[bare:].tobytes()
        assert newest.values[told].tobytes() == values[bare:].tobytes()
        for name in ("ts", *WINDOW, "closed", "final"):
            np.testing.assert_array_equal(newest.rows[name][last[k] - len(rows) : whole.start], rows[name][:bare])
    assert newest.bare.max() == 37
    connection.close()


def test_two_connections_read_the_same_as_one_in_the_same_order(
    postgres: Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("spark_jobs.database.reader.SERIES_AT_ONCE", 1)
    connection = psycopg2.connect(postgres.writer)
    writer, fold = Writer(connection, "simulator"), Fold()
    writer.prepare()
    changes = fold.step([*minutes(0, 90), ClockEvent(open_ms(COIN, FRIDAY) + 90 * MINUTE_MS, 1)])
    with connection, connection.cursor() as cursor:
        writer.write_series(cursor, changes.series)
    keys = list(fold.store.rows)
    made: list[Connection] = []

    def connect() -> Connection:
        made.append(psycopg2.connect(postgres.writer))
        return made[-1]

    with connection:
        one = list(Reader(connection, INSTRUMENTS).newest(keys, 40, [3] * 8))
        two = list(TwoReaders(connection, INSTRUMENTS, NOTHING, connect).newest(keys, 40, [3] * 8))
    assert [block.keys for block in two] == [[key] for key in keys]
    for told, expected in zip(two, one, strict=True):
        for name in ("counts", "bare", "rows", "states", "values", "is_all"):
            assert getattr(told, name).tobytes() == getattr(expected, name).tobytes()
    assert [second.closed for second in made] == [1]
    connection.close()


def test_a_second_connection_that_breaks_is_a_database_that_is_away(
    postgres: Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("spark_jobs.database.reader.SERIES_AT_ONCE", 1)
    connection, broken = psycopg2.connect(postgres.writer), psycopg2.connect(postgres.writer)
    broken.close()
    keys = [SeriesKey(COIN, timeframe, "regular") for timeframe in TIMEFRAMES]
    with connection, pytest.raises(AWAY):
        list(TwoReaders(connection, INSTRUMENTS, NOTHING, lambda: broken).newest(keys, 40, [3] * len(keys)))
    connection.close()


def test_an_edit_of_the_kernel_gives_every_stored_row_its_values_again(
    postgres: Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(rebuild, "NEWEST_ROWS", 20)
    monkeypatch.setattr(rebuild, "SLICE_ROWS", 70)
    connection = psycopg2.connect(postgres.writer)
    writer, fold = Writer(connection, "simulator"), Fold()
    writer.prepare()
    ledger.claim_epoch(connection, "a test")
    clock = ClockEvent(open_ms(COIN, FRIDAY) + 400 * MINUTE_MS, 1)
    changes = fold.step([*minutes(0, 400), clock])
    with connection, connection.cursor() as cursor:
        writer.write_series(cursor, changes.series)
        cursor.execute("UPDATE core.indicators SET ema_26 = 1, state[2] = 7 WHERE timeframe IN ('1m', '5m')")

    def recompute() -> bool:
        book = Book(Reader(connection, INSTRUMENTS), INSTRUMENTS)
        with connection:
            rebuild.wake(book, connection)
        return rebuild.recompute_if_kernel_changed(connection, book, writer, structlog.get_logger())

    assert recompute()
    assert not recompute(), "the version is written down"
    with connection:
        for key in fold.store.rows:
            _, states, values, _ = Reader(connection, INSTRUMENTS).rows_before(key, memory.NEVER_MS, 1000)
            expected = fold.store.rows_before(key, 1 << 60, 1000)
            np.testing.assert_array_equal(states, expected[1])
            np.testing.assert_array_equal(values, expected[2])
    connection.close()
