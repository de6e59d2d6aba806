"""By default the exchange is as imperfect as Yahoo, and always in the same way."""

import numpy as np

from simulator.chart import chart_answer
from simulator.market import Market
from simulator.parts import Part
from simulator.snapshot import minutes_so_far
from tests.unit.simulator.conftest import ms

NOW_MS = ms("2026-03-11T15:41:27+00:00")
NOW_S = NOW_MS // 1000


def rows(market: Market, symbol: str, now_ms: int, **query: object):
    result = chart_answer(market, symbol, {name: str(value) for name, value in query.items()}, now_ms)["chart"][
        "result"
    ][0]
    return result["timestamp"], result["indicators"]["quote"][0]


def test_the_last_row_of_an_open_session_is_stamped_with_the_second_of_the_poll(market: Market):
    stamps, quote = rows(market, "AAPL", NOW_MS, interval="1m", range="1d")
    assert list(stamps[-2:]) == [NOW_S - 27, NOW_S]
    assert quote["open"][-1] == quote["high"][-1] == quote["low"][-1] == quote["close"][-1] == quote["close"][-2]
    assert quote["volume"][-1] == 0


def test_today_is_a_row_of_its_own_beside_the_week(market: Market):
    stamps, quote = rows(market, "AAPL", NOW_MS, interval="1wk", range="1mo")
    days, daily = rows(market, "AAPL", NOW_MS, interval="1d", range="5d")
    assert stamps[-1] == days[-1] == NOW_S
    assert stamps[-2] == ms("2026-03-09T00:00:00+00:00") // 1000
    assert quote["close"][-2] == daily["close"][-2]


def test_the_row_in_progress_has_only_the_trades_so_far(market: Market):
    instrument = market.instrument("AAPL", NOW_MS)
    row = instrument.row_at(NOW_MS)
    earlier, later = (minutes_so_far(instrument, row, Part.REGULAR, NOW_MS + wait).bars for wait in (0, 20_000))
    whole = instrument.minutes(row)
    at = len(earlier.open) - 1
    assert 0 < earlier.volume[at] < later.volume[at] < whole.volume[at]
    assert np.array_equal(earlier.volume[:at], whole.volume[:at])


def test_nothing_of_the_future_is_told(market: Market):
    stamps, _ = rows(market, "AAPL", NOW_MS, interval="1m", period1=NOW_S - 600, period2=NOW_S + 86_400)
    assert stamps[-1] == NOW_S


def test_some_minutes_are_corrected_later(market: Market):
    window = {"interval": "1m", "period1": NOW_S - 86_400, "period2": NOW_S}
    differ = 0
    for hours in range(0, 24, 2):
        at_ms = NOW_MS - hours * 3_600_000
        stamps, early = rows(market, "NVDA", at_ms, interval="1m", period1=at_ms // 1000 - 900, period2=at_ms // 1000)
        finished = stamps < at_ms // 1000 - 90
        _, late = rows(
            market, "NVDA", NOW_MS + 3_600_000, interval="1m", period1=at_ms // 1000 - 900, period2=at_ms // 1000
        )
        changed = np.asarray(early["volume"])[finished] != np.asarray(late["volume"])[: finished.sum()]
        differ += int(changed.sum())
    assert 0 < differ < 12
    settled = [rows(market, "NVDA", NOW_MS + wait, **window)[1]["volume"] for wait in (3_600_000, 7_200_000)]
    assert np.array_equal(*settled)


def test_minutes_without_a_trade_are_missing_or_empty(market: Market):
    stamps, quote = rows(market, "HFG.DE", NOW_MS, interval="1m", period1=NOW_S - 2 * 86_400, period2=NOW_S - 86_400)
    assert 200 < len(stamps) < 1440
    empty = np.isnan(quote["close"])
    assert 0 < empty.sum() < len(stamps) / 2
    assert [volume is None for volume in quote["volume"]] == empty.tolist()


def test_currencies_have_no_volume(market: Market):
    _, quote = rows(market, "EURUSD=X", NOW_MS, interval="1m", range="1d")
    assert not np.any(quote["volume"])
