"""What a poll sends, given what is stored."""

from collections.abc import Callable
from datetime import date

import pytest

from ingestion.poll import new_actions, news
from market.contracts import Action, Bar

pytestmark = pytest.mark.unit

At = Callable[[str], int]


def bar(ts_ms: int, close: float = 100.5, is_complete: bool = True) -> Bar:
    return Bar(
        source="yahoo",
        event_ms=ts_ms,
        fetched_ms=ts_ms + 120_000,
        symbol="AAPL",
        timeframe="1m",
        open=100.0,
        high=101.0,
        low=99.0,
        close=close,
        volume=10.0,
        session_date="2025-11-24",
        is_complete=is_complete,
    )


def test_only_what_differs_from_the_final_bars_is_news() -> None:
    stored = {0: (100.0, 101.0, 99.0, 100.5, 10.0), 60_000: (100.0, 101.0, 99.0, 100.4, 10.0)}
    same, corrected, missing = bar(0), bar(60_000), bar(120_000)
    assert news([same, corrected, missing], stored) == [corrected, missing]


def test_a_split_that_is_stored_is_no_news_wherever_the_exchange_is(at: At) -> None:
    # Sydney opens at 23:00 UTC of the day before in summer.
    split = Action(
        source="yahoo", event_ms=at("2025-11-23T23:00"), fetched_ms=1, symbol="BHP.AX", action="split", value=2.0
    )
    assert new_actions([split], "XASX", {(date(2025, 11, 24), "split"): 2.0}) == []
    assert new_actions([split], "XASX", {(date(2025, 11, 24), "split"): 3.0}) == [split]
    assert new_actions([split], "XASX", {}) == [split]
