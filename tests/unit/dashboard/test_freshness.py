"""Open or closed, live or stale."""

from datetime import date, timedelta

import pytest

from dashboard.freshness import Freshness, Market, freshness, hours
from dashboard.queries import Session
from tests.unit.dashboard.conftest import CLOSE, NEXT_OPEN, OPEN

pytestmark = pytest.mark.unit

#   OPEN ──────── CLOSE            NEXT_OPEN ────────
SESSIONS = [
    Session(date(2026, 11, 20), OPEN, CLOSE),
    Session(date(2026, 11, 23), NEXT_OPEN, NEXT_OPEN + timedelta(hours=6.5)),
]


@pytest.mark.parametrize(
    ("now", "market", "session", "opens_at"),
    [
        (OPEN - timedelta(seconds=1), Market.CLOSED, None, OPEN),
        (OPEN, Market.OPEN, 0, None),
        (CLOSE - timedelta(seconds=1), Market.OPEN, 0, None),
        (CLOSE, Market.CLOSED, 0, NEXT_OPEN),
        (NEXT_OPEN, Market.OPEN, 1, None),
        (NEXT_OPEN + timedelta(days=1), Market.CLOSED, 1, None),
    ],
)
def test_the_market_is_open_from_the_first_second_to_the_last(now, market, session, opens_at):
    found = hours(SESSIONS, now)
    assert (found.market, found.opens_at) == (market, opens_at)
    assert found.session == (None if session is None else SESSIONS[session])


def test_a_midday_break_is_neither_open_nor_the_end():
    noon = OPEN + timedelta(hours=2)
    lunch = [Session(date(2026, 11, 20), OPEN, CLOSE, noon, noon + timedelta(hours=1))]
    assert hours(lunch, noon).market is Market.BREAK
    assert hours(lunch, noon).opens_at == noon + timedelta(hours=1)
    assert hours(lunch, noon + timedelta(hours=1)).market is Market.OPEN


def test_of_a_calendar_that_is_not_known_nothing_is_claimed():
    assert hours([], OPEN).market is Market.UNKNOWN


@pytest.mark.parametrize(
    ("market", "age_s", "expected"),
    [
        (Market.OPEN, 0.3, Freshness.LIVE),
        (Market.OPEN, 15, Freshness.SLOW),
        (Market.OPEN, 60, Freshness.STALE),
        (Market.UNKNOWN, 60, Freshness.STALE),
        (Market.CLOSED, 60_000, Freshness.CLOSED),
        (Market.BREAK, 600, Freshness.CLOSED),
    ],
)
def test_an_old_number_is_a_fault_only_while_the_market_trades(market, age_s, expected):
    assert freshness(market, age_s) is expected
