"""The words of the time axis."""

from datetime import date
from zoneinfo import ZoneInfo

import pytest

from dashboard.ticks import MONTH, SESSION, WEEK, YEAR, labels

pytestmark = pytest.mark.unit
NEW_YORK = ZoneInfo("America/New_York")


def test_intraday_labels_are_in_the_exchanges_time(row):
    assert [label.tick for label in labels([row(0), row(1)], "1m", NEW_YORK)] == ["09:30", "09:31"]
    assert labels([row(0)], "1m", NEW_YORK)[0].full == "Fri 20 Nov 2026 09:30"


def test_the_first_bar_of_a_session_names_its_day_and_outranks_every_hour(row):
    monday = row(3 * 24 * 60, session_date=date(2026, 11, 23))
    first, second = labels([row(30), monday], "1m", NEW_YORK)
    assert (second.tick, second.rank) == ("Mon 23 Nov", SESSION)
    assert second.rank > first.rank


@pytest.mark.parametrize(("minute", "rank"), [(0, 3), (1, 0), (5, 1), (15, 2), (30, 4), (150, 5)])
def test_rounder_minutes_rank_higher(row, minute, rank):
    """09:30 is a half hour, 10:00 an hour, 12:00 a multiple of four hours."""
    assert labels([row(minute)], "1m", NEW_YORK)[0].rank == rank


@pytest.mark.parametrize(
    ("before", "day", "tick", "rank"),
    [
        (date(2025, 12, 31), date(2026, 1, 2), "2026", YEAR),
        (date(2026, 10, 30), date(2026, 11, 2), "Nov", MONTH),
        (date(2026, 11, 20), date(2026, 11, 23), "23 Nov", WEEK),
        (date(2026, 11, 19), date(2026, 11, 20), "20 Nov", 0),
    ],
)
def test_daily_bars_rank_years_months_and_weeks(row, before, day, tick, rank):
    label = labels([row(0, session_date=day)], "1d", NEW_YORK, before)[0]
    assert (label.tick, label.rank) == (tick, rank)


def test_a_month_is_named_as_one(row):
    assert labels([row(0)], "1mo", NEW_YORK)[0].full == "November 2026"
