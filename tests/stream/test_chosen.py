"""Indicators that a user adds to the configuration: history and live values, in the database and by the job itself."""

import signal
from typing import Any

import numpy as np
import psycopg2
import pytest
import structlog
from psycopg2.extensions import connection as Connection

from market import indicators, memory
from market.book import Book
from market.choices import Choices, parse
from market.chosen import NOTHING
from market.past import Recomputation, work_off
from market.series import SeriesKey
from market.topics import HISTORY
from spark_jobs.database import ledger, recomputations
from spark_jobs.database.reader import Reader
from spark_jobs.database.writer import Writer
from spark_jobs.start import chosen_history, rebuild
from tests.embedded import Database
from tests.stream.rig import Rig
from tests.stream.test_restart import COIN, MINUTE_MS, minutes
from tests.stream.test_stream import T0, bar, tick
from tests.unit.market import textbook
from tests.unit.market.folds import Fold
from tests.unit.market.textbook import Candles
from tests.unit.market.worlds import FRIDAY, INSTRUMENTS, BarEvent, ClockEvent, TickEvent, batch_of, open_ms

pytestmark = pytest.mark.stream

FIRST = '["1m"]\nema = [9]\nmacd = [[5, 35, 5]]\nvolume_sma = [3]\n["5m"]\nrsi = [7]\nsma = [100]'
SECOND = '["1m"]\nema = [9]\nbollinger = [[30, 2.5]]\n["5m"]\nrsi = [7]\natr = [7]'
START = open_ms(COIN, FRIDAY)


def bring_up_to_date(connection: Connection, choices: Choices) -> bool:
    """What a start does."""
    book = Book(Reader(connection, INSTRUMENTS, choices), INSTRUMENTS, choices)
    with connection:
        rebuild.wake(book, connection)
    writer = Writer(connection, "simulator", choices)
    return chosen_history.bring_up_to_date(connection, book, writer, structlog.get_logger())


def stored(connection: Connection, more: str = "") -> dict[tuple[Any, ...], tuple[Any, ...]]:
    """(timeframe, name, params, ts in ms) → (value, revision, is_final, state), and what else of a row is asked for."""
    with connection, connection.cursor() as cursor:
        cursor.execute(
            f"""SELECT timeframe, name, params, (extract(epoch FROM ts) * 1000)::bigint, value, revision, is_final, state {more}
                FROM core.indicator_values WHERE symbol = %s""",  # noqa: S608
            (COIN,),
        )
        return {row[:4]: row[4:] for row in cursor.fetchall()}


def folded(fold: Fold) -> dict[tuple[Any, ...], tuple[Any, ...]]:
    """The same of a fold that computed them bar by bar."""
    found = {}
    for key, table in fold.store.rows.items():
        for number, choice in fold.chosen.of(key.timeframe):
            s, v = indicators.N_STATE + fold.chosen.state_at[number], indicators.N_VALUES + fold.chosen.value_at[number]
            for ts, (row, state, values) in table.items():
                for k, name in enumerate(choice.names):
                    kept = (
                        state[s : s + choice.n_state].tolist() if choice.n_state and row["closed"] and k == 0 else None
                    )
                    value = None if np.isnan(values[v + k]) else float(values[v + k])
                    told = (value, int(row["revision"]), bool(row["final"]), kept)
                    found[key.timeframe, name, choice.params, ts] = told
    return found


@pytest.fixture
def connection(postgres: Database) -> Any:
    connection = psycopg2.connect(postgres.writer)
    ledger.claim_epoch(connection, "a test")
    with connection, connection.cursor() as cursor:
        cursor.execute(
            """INSERT INTO core.instruments (symbol, calendar, timezone, currency, price_precision, state, source)
               VALUES (%s, '24/7', 'UTC', 'USD', 2, 'ok', 'simulator')""",
            (COIN,),
        )
    yield connection
    connection.close()


def events() -> list[Any]:
    clock = ClockEvent(START + 400 * MINUTE_MS, 1)
    return [*minutes(0, 400), clock, TickEvent(COIN, clock.ms + 10, 91.0, 7)]


def test_history_gets_the_bits_that_the_stream_would_have_written(
    connection: Connection, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(rebuild, "NEWEST_ROWS", 20)
    monkeypatch.setattr(rebuild, "SLICE_ROWS", 70)
    writer, fold = Writer(connection, "simulator"), Fold(chosen=parse(FIRST))
    writer.prepare()
    changes = Fold().step(events())
    with connection, connection.cursor() as cursor:
        writer.write_series(cursor, changes.series)
    fold.step(events())
    prepared(connection, fold.chosen)
    assert not bring_up_to_date(connection, NOTHING), "with an empty configuration a start does nothing"
    assert bring_up_to_date(connection, fold.chosen)
    assert not bring_up_to_date(connection, fold.chosen), "the version is written down"
    found = stored(connection)
    assert found == folded(fold)
    assert sum(value is not None for value, *_ in found.values()) > 1500


def test_what_stays_chosen_is_not_touched_and_what_is_taken_out_is_deleted(connection: Connection) -> None:
    first, second = parse(FIRST), parse(SECOND)
    writer, fold = prepared(connection, first), Fold(chosen=second)
    with connection, connection.cursor() as cursor:
        writer.write_series(cursor, Fold(chosen=first).step(events()).series)
    assert bring_up_to_date(connection, first)
    before = stored(connection, ", xmin::text")
    prepared(connection, second)
    assert bring_up_to_date(connection, second)
    after = stored(connection, ", xmin::text")
    fold.step(events())
    assert {key: told[:4] for key, told in after.items()} == folded(fold)
    kept = [key for key in after if key[1] in ("ema", "rsi")]
    assert len(kept) > 400
    assert [after[key] for key in kept] == [before[key] for key in kept]
    with connection, connection.cursor() as cursor:
        cursor.execute("SELECT timeframe, kind, params, is_complete FROM v1.indicator_choices ORDER BY 1, 2")
        assert cursor.fetchall() == [
            ("1m", "bollinger", "30,2.5", True), ("1m", "ema", "9", True), ("5m", "atr", "7", True), ("5m", "rsi", "7", True)
        ]  # fmt: skip
    assert bring_up_to_date(connection, NOTHING)
    assert stored(connection) == {}


def test_a_correction_goes_on_from_the_stored_state(connection: Connection, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(memory, "KEEP_ROWS", 30)
    choices = parse(FIRST)
    writer, fold = prepared(connection, choices), Fold(chosen=choices)
    correction = BarEvent(
        COIN, "1m", FRIDAY, START + 150 * MINUTE_MS, (90.0, 99.0, 80.0, 95.5, 4.0), START + 900 * MINUTE_MS
    )
    for batch in (events(), [correction]):
        book = Book(Reader(connection, INSTRUMENTS, choices), INSTRUMENTS, choices)
        book.clock_ms = dict(fold.clocks)
        fold.step(batch)
        with connection, connection.cursor() as cursor:
            rebuild.wake(book, connection)
            writer.write_series(cursor, book.apply(batch_of(batch)).series)
    found = stored(connection)
    assert found == folded(fold)
    assert found["1m", "ema", "9", correction.ts][1] == 1


def test_what_waits_to_be_recomputed_outlives_an_edit_of_the_kernel(connection: Connection) -> None:
    #   minutes 0 ... 299 right | 300 ... 399 computed before a correction, and queued
    choices = parse('["1m"]\nema = [9]')
    writer, fold = prepared(connection, choices), Fold(chosen=choices)
    changes, job = fold.step(events()), START + 300 * MINUTE_MS
    with connection, connection.cursor() as cursor:
        writer.write_series(cursor, changes.series)
        cursor.execute(
            "UPDATE core.indicator_values SET value = 1, state = NULL WHERE ts >= to_timestamp(%s)", (job / 1e3,)
        )
        cursor.execute("UPDATE core.indicators SET ema_12 = 1 WHERE ts >= to_timestamp(%s)", (job / 1e3,))
        recomputations.add(cursor, [Recomputation(SeriesKey(COIN, "1m", "regular"), job, job)])

    def loaded() -> Book:
        book = Book(Reader(connection, INSTRUMENTS, choices), INSTRUMENTS, choices)
        with connection:
            rebuild.wake(book, connection)
        return book

    assert rebuild.recompute_if_kernel_changed(connection, loaded(), writer, structlog.get_logger())
    book, queue = loaded(), recomputations.read(connection)
    assert stored(connection) != folded(fold)
    for waiting in queue.values():
        with connection, connection.cursor() as cursor:
            changes_again, rest = work_off(book, waiting)
            assert rest is None
            writer.write_values(cursor, changes_again)
    assert stored(connection) == folded(fold)


def test_the_queue_joins_as_recomputations_do(connection: Connection) -> None:
    key = SeriesKey(COIN, "1m", "regular")
    ahead, behind = Recomputation(key, 3_000, 1_000), Recomputation(key, 500, 500)
    with connection, connection.cursor() as cursor:
        for job in (ahead, behind):
            recomputations.add(cursor, [job])
    assert recomputations.read(connection) == {key: ahead.joined(behind)}
    with connection, connection.cursor() as cursor:
        cursor.execute("UPDATE core.instruments SET state = 'unknown'")
    assert recomputations.read(connection) == {}, "of a symbol that is not known no series can be computed"


def prepared(connection: Connection, choices: Choices) -> Writer:
    writer = Writer(connection, "simulator", choices)
    with connection, connection.cursor() as cursor:
        cursor.execute(
            "DROP TABLE IF EXISTS pg_temp.stage, pg_temp.stage_latest, pg_temp.stage_quality, pg_temp.stage_chosen"
        )
    writer.prepare()
    return writer


def test_a_user_adds_a_line_starts_again_and_has_history_and_live_values(stream: Rig) -> None:
    #   T0 - 60 min ............ T0 - 1 min | restart with other choices | T0 (closed), T0 + 1 min (forms)
    closes = (np.random.default_rng(4).integers(9_000, 9_100, 60) / 100).tolist()
    stream.start()
    for k, close in enumerate(closes):
        ts = T0 - (60 - k) * MINUTE_MS
        stream.send(bar("AAPL", ts, (close, close + 1, close - 1, close, 5.0), is_complete=True), topic=HISTORY)
    stream.drain()
    assert stream.ask("SELECT count(*) FROM v1.indicator_values") == [(0,)]
    stream.signal(signal.SIGTERM)

    file = stream.log.parent / "mine.toml"
    stream.environment["CANDLESTREAM_INDICATORS"] = str(file)
    file.write_text('["1m"]\nsma = [0]')
    stream.start()
    assert stream.process is not None
    assert stream.process.wait(60) == 2
    assert f'stream: {file}: ["1m"] sma 0: bars must be a whole number from 1 to 200' in stream.log.read_text()

    file.write_text('["1m"]\nsma = [30]\nrsi = [7]')
    stream.start()
    stream.send(tick("AAPL", T0 + 1_000, 90.5, 100))
    stream.send(tick("AAPL", T0 + 61_000, 90.25, 200))
    stream.clock(T0 + 70_000)
    stream.drain()
    closes += [90.5, 90.25]
    candles = Candles(closes, closes, closes, [None] * 62, [0] * 62)
    for name, params, expected in (("sma", "30", textbook.sma(candles, 30)), ("rsi", "7", textbook.rsi(candles, 7))):
        rows = stream.ask(
            """SELECT v.value, b.is_closed FROM v1.indicator_values v JOIN v1.bars b USING (symbol, timeframe, ts)
               WHERE symbol = 'AAPL' AND timeframe = '1m' AND name = %s AND params = %s ORDER BY ts""",
            (name, params),
        )
        assert [is_closed for _, is_closed in rows[-2:]] == [True, False]
        assert [value for value, _ in rows] == [None if each is None else pytest.approx(each) for each in expected]
