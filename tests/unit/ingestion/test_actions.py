"""Corporate actions that are published anew, and prices around a split that are not to be believed."""

from datetime import date

import pytest

from ingestion.actions import withdrawn
from ingestion.young_splits import disagreements
from market.contracts import Bar

pytestmark = pytest.mark.unit

FRIDAY, MONDAY = date(2020, 8, 28), date(2020, 8, 31)


def day(session_date: date, close: float) -> Bar:
    return Bar(
        source="yahoo",
        event_ms=0,
        fetched_ms=1,
        symbol="AAPL",
        timeframe="1d",
        **dict.fromkeys(("open", "high", "low", "close"), close),
        session_date=session_date.isoformat(),
        is_complete=True,
    )


@pytest.mark.parametrize(
    ("un_adjusted_close", "is_wrong"),
    [
        (499.23, False),
        # The split is announced, the history before it not adjusted yet: un-doing it makes four times too much.
        (1996.92, True),
        # Adjusted twice.
        (124.81, True),
    ],
)
def test_prices_before_a_split_are_checked_against_what_was_printed(un_adjusted_close: float, is_wrong: bool) -> None:
    bars = [day(FRIDAY, un_adjusted_close), day(MONDAY, 129.04)]
    printed = {FRIDAY: 499.23}
    assert disagreements(bars, printed, [(MONDAY, 4.0)]) == ([(MONDAY, 4.0)] if is_wrong else [])
    # Nothing to compare with: nothing to say.
    assert disagreements(bars[:1], {}, [(MONDAY, 4.0)]) == []


def test_what_is_published_no_more_is_named_within_the_days_that_were_asked_for() -> None:
    stored = {(MONDAY, "split"): 4.0, (FRIDAY, "dividend"): 0.2, (date(2014, 6, 9), "split"): 7.0}
    assert withdrawn(stored, [(MONDAY, "split")], FRIDAY, MONDAY) == [(FRIDAY, "dividend")]
