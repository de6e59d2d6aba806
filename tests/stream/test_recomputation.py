"""A correction of last week through the real stream: at once in the bars, worked off in the indicators, and marked meanwhile."""

import signal
from dataclasses import replace
from datetime import UTC, date, datetime, time, timedelta

import pytest

from market.contracts import Bar
from market.topics import HISTORY
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


def minutes() -> list[Bar]:
    closes = [round(100 + (k * k % 997) / 100 + k / 5_000, 2) for k in range(DAYS * 24 * 60)]
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
