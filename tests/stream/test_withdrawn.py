"""A split that is published and withdrawn, through the real stream: as if it had never been."""

from dataclasses import replace
from datetime import date

import pytest

from market.calendars import sessions
from market.contracts import Action
from market.topics import HISTORY
from tests.stream.rig import Rig
from tests.stream.test_stream import bar

pytestmark = pytest.mark.stream

TABLES = {
    "v1.bars": "timeframe, ts, open, high, low, close, volume, is_closed, is_final",
    "core.indicators": """timeframe, ts, sma_20, ema_12, ema_26, rsi_14, macd, macd_signal, bb_upper, atr_14, obv, volatility_20,
                          volume_sma_20, roc_10, change, state""",
}


def test_published_and_withdrawn_is_never_published(stream: Rig) -> None:
    #   AAPL: half of its days | split published | withdrawn, told twice | the other half
    #   MSFT: the same days
    found = sessions("24/7", date(2026, 1, 1), date(2026, 6, 30))
    ex_date = found[70]
    closes = [round(100 + 7 * ((k * k) % 13) / 13 + k / 10, 2) for k in range(len(found))]

    def days(first: int, last: int) -> None:
        for day, close in list(zip(found, closes, strict=True))[first:last]:
            row = bar("AAPL", day.open_ms, (close, close + 1, close - 1, close, 1_000.0 + close), is_complete=True)
            row = replace(row, timeframe="1d", session_date=day.session_date.isoformat(), fetched_ms=found[-1].close_ms)
            stream.send(row, topic=HISTORY)
            stream.send(replace(row, symbol="MSFT"), topic=HISTORY)

    word = Action(
        source="simulator", symbol="AAPL", event_ms=ex_date.open_ms, fetched_ms=1_000, action="split", value=4.0
    )
    stream.start()
    days(0, 120)
    stream.send(word, topic=HISTORY)
    stream.drain()
    assert stream.ask("SELECT value FROM v1.corporate_actions") == [(4.0,)]
    ratios = "SELECT DISTINCT split_ratio FROM v1.bars_adjusted('AAPL', '1d') ORDER BY 1"
    assert stream.ask(ratios) == [(1.0,), (4.0,)]
    different = {}
    for table, columns in TABLES.items():
        different[table] = f"""(SELECT {columns} FROM {table} WHERE symbol = 'AAPL'
                                EXCEPT SELECT {columns} FROM {table} WHERE symbol = 'MSFT')"""  # noqa: S608
    assert stream.ask(different["core.indicators"]), "the split moves what comes after it"

    for times in (1, 2):
        stream.send(replace(word, is_withdrawn=True, fetched_ms=1_000 + times), topic=HISTORY)
    stream.send(word, topic=HISTORY)
    days(120, len(found))
    stream.clock(found[-1].close_ms)
    stream.drain()
    assert stream.ask("SELECT * FROM v1.corporate_actions") == []
    assert stream.ask(ratios) == [(1.0,)]
    assert [stream.ask(query) for query in different.values()] == [[], []]
    frames = "SELECT count(*), count(DISTINCT timeframe) FROM core.indicators WHERE symbol = 'AAPL'"
    assert stream.ask(frames)[0] == (stream.ask(frames.replace("AAPL", "MSFT"))[0][0], 3)
