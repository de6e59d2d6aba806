"""A correction of last week through the real stream: at once in the bars, worked off in the indicators, and marked meanwhile."""

import json
import signal
from dataclasses import replace
from datetime import UTC, date, datetime, time, timedelta

import pytest

from market.contracts import Bar
from market.topics import HISTORY
from spark_jobs import kill_points
from spark_jobs.kill_points import Point
from tests.stream.rig import Rig, until
from tests.stream.test_stream import bar
from tests.stream.test_withdrawn import TABLES

pytestmark = pytest.mark.stream

MINUTE_MS = 60_000
DAY_MS = 24 * 60 * MINUTE_MS
DAYS = 9
FIRST_DAY = date(2026, 9, 28)
FIRST_MS = int(datetime.combine(FIRST_DAY, time(), UTC).timestamp() * 1000)
CORRECTED = 2_000  # of the minutes


def minutes(days: int = DAYS) -> list[Bar]:
    closes = [round(100 + (k * k % 997) / 100 + k / 5_000, 2) for k in range(days * 24 * 60)]
    rows = []
    for k, close in enumerate(closes):
        ohlcv = (close, close + 1, close - 1, close, 100.0 + k % 7)
        row = bar("AAPL", FIRST_MS + k * MINUTE_MS, ohlcv, is_complete=True)
        rows.append(replace(row, session_date=(FIRST_DAY + timedelta(days=k // (24 * 60))).isoformat()))
    return rows


def test_a_correction_of_last_week_is_worked_off_across_a_kill_to_the_same_bits(stream: Rig) -> None:
    #   AAPL: corrected row in its place, from the start
    #   MSFT: nine days | the correction of the second day | kill -9 while what follows from it is computed | start
    told = minutes()
    wrong = told[CORRECTED]
    right = replace(wrong, close=wrong.close - 0.5, volume=7_000.0, fetched_ms=wrong.fetched_ms + DAY_MS)
    stream.start()
    for k, row in enumerate(told):
        stream.send(right if k == CORRECTED else row, topic=HISTORY)
        stream.send(replace(row, symbol="MSFT"), topic=HISTORY)
    stream.clock(FIRST_MS + DAYS * DAY_MS)
    stream.drain()
    stream.send(replace(right, symbol="MSFT"), topic=HISTORY)
    stream.producer.flush(10)

    def waiting() -> list[tuple[str]]:
        return stream.ask("SELECT timeframe FROM v1.recomputations WHERE symbol = 'MSFT'")

    until(waiting, "a recomputation that waits")
    stream.signal(signal.SIGKILL)
    assert waiting(), "killed before it was done"
    corrected = "SELECT close FROM v1.bars WHERE symbol = 'MSFT' AND timeframe = '1m' AND revision = 1"
    assert stream.ask(corrected) == [(right.close,)]
    [(timeframe,), *_] = waiting()
    marked = """SELECT (array_agg(is_recomputing ORDER BY ts))[1], (array_agg(is_recomputing ORDER BY ts DESC))[1]
                FROM v1.indicators WHERE symbol = %s AND timeframe = %s"""
    assert stream.ask(marked, ("MSFT", timeframe)) == [(False, True)]
    assert stream.ask(marked, ("AAPL", timeframe)) == [(False, False)]

    stream.start()
    stream.drain()
    assert stream.logged("recomputed")
    for table, columns in TABLES.items():
        different = f"""(SELECT {columns} FROM {table} WHERE symbol = 'AAPL'
                         EXCEPT SELECT {columns} FROM {table} WHERE symbol = 'MSFT')"""  # noqa: S608
        assert stream.ask(different) == []
        counted = f"SELECT count(*) FROM {table} GROUP BY symbol ORDER BY 1"  # noqa: S608
        [(one,), (other,)] = stream.ask(counted)
        assert one == other > DAYS * 24 * 60


def test_corrections_of_two_symbols_come_while_others_are_worked_off_and_other_indicators_are_chosen(
    stream: Rig,
) -> None:
    #   AAPL:       every row as it is known in the end, from the start
    #   MSFT, NVDA: six days | day 2 corrected, wrongly | killed inside a slice | start with another choice
    #               | the same minute again, and day 1, while slices go on | the first word once more
    told, days = minutes(6), 6
    points = stream.log.parent / "kill_points"
    points.mkdir()
    stream.environment[kill_points.VARIABLE] = str(points)
    file = stream.log.parent / "mine.toml"
    stream.environment["CANDLESTREAM_INDICATORS"] = str(file)
    file.write_text('["1m"]\nrsi = [7]')
    stream.add_instrument("NVDA")
    later, early = told[CORRECTED], told[700]
    first = replace(later, close=later.close + 0.75, volume=9.0, fetched_ms=later.fetched_ms + DAY_MS)
    right = replace(later, close=later.close - 0.5, volume=7_000.0, fetched_ms=later.fetched_ms + 2 * DAY_MS)
    high = replace(early, high=early.high + 3, fetched_ms=early.fetched_ms + DAY_MS)
    known = {CORRECTED: right, 700: high}
    others = ("MSFT", "NVDA")

    def tell_others(*rows: Bar) -> None:
        for row in rows:
            for symbol in others:
                stream.send(replace(row, symbol=symbol), topic=HISTORY)

    stream.start()
    for k, row in enumerate(told):
        stream.send(known.get(k, row), topic=HISTORY)
        tell_others(row)
    stream.clock(FIRST_MS + days * DAY_MS)
    stream.drain()
    (points / "armed").write_text(json.dumps({"point": Point.IN_RECOMPUTATION, "kill": None}))
    tell_others(first)
    stream.producer.flush(10)
    until((points / "reached").exists, "the stream in a slice")
    stream.signal(signal.SIGKILL)
    waiting = "SELECT symbol, timeframe, from_ts FROM v1.recomputations ORDER BY 1, 2"
    left = stream.ask(waiting)
    assert {symbol for symbol, *_ in left} == set(others)

    file.write_text('["1m"]\nrsi = [7]\nema = [9]')
    stream.start()
    until(lambda: stream.ask(waiting) != left, "a slice after the start")
    tell_others(right, high, first)
    stream.drain()
    assert len(stream.logged("older_sessions")) >= 2
    values = {"core.indicator_values": "timeframe, ts, name, params, value, state"}
    for table, columns in (TABLES | values).items():
        for symbol in others:
            different = f"""(SELECT {columns} FROM {table} WHERE symbol = 'AAPL'
                             EXCEPT SELECT {columns} FROM {table} WHERE symbol = %s)"""  # noqa: S608
            assert stream.ask(different, (symbol,)) == [], (table, symbol)
        counted = stream.ask(f"SELECT count(*) FROM {table} GROUP BY symbol")  # noqa: S608
        assert len(counted) == 3
        assert len(set(counted)) == 1
    told_before = """SELECT revision, close, superseded_at IS NOT NULL FROM v1.bar_revisions
                     WHERE symbol = 'MSFT' AND timeframe = '1m' AND ts = to_timestamp(%s) ORDER BY revision"""
    at_s = later.event_ms / 1000
    assert stream.ask(told_before, (at_s,)) == [(0, later.close, True), (1, first.close, True)]
