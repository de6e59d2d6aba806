from collections.abc import Callable
from datetime import date, timedelta
from itertools import pairwise

import pytest

from ingestion.history.plan import windows
from ingestion.providers.base import DAY_MS, Reach

pytestmark = pytest.mark.unit

At = Callable[[str], int]
MINUTES, DAYS = Reach(29, 7), Reach(None, None)


@pytest.fixture
def now_ms(at: At) -> int:
    return at("2025-11-24T12:00")  # a Monday, before the open


def days(first: date, last: date) -> set[date]:
    return {first + timedelta(days=offset) for offset in range((last - first).days + 1)}


def test_minutes_that_were_never_fetched_come_in_weeks_oldest_first(now_ms: int) -> None:
    made = list(windows("1m", MINUTES, "XNYS", [], now_ms))
    assert made[0][0] == now_ms - 29 * DAY_MS
    assert [end - start for start, end in made[:-1]] == [7 * DAY_MS] * 4
    assert all(this[1] == following[0] for this, following in pairwise(made))
    assert made[-1][1] is None


def test_all_days_there_are_come_in_one_request(now_ms: int) -> None:
    assert list(windows("1d", DAYS, "XNYS", [], now_ms)) == [(None, None)]


def test_a_few_new_days_from_a_poll_are_not_a_history(now_ms: int) -> None:
    assert list(windows("1d", DAYS, "XNYS", days(date(2025, 11, 17), date(2025, 11, 21)), now_ms)) == [(None, None)]


def test_where_history_is_stored_only_the_newer_end_is_asked_for(now_ms: int, at: At) -> None:
    stored = days(date(2020, 1, 1), date(2025, 11, 24))
    assert list(windows("1d", DAYS, "XNYS", stored, now_ms)) == [(at("2025-11-23T00:00"), None)]
    assert list(windows("1m", MINUTES, "XNYS", stored, now_ms)) == [(at("2025-11-23T00:00"), None)]


def test_sessions_that_are_missing_in_between_are_asked_for_again(now_ms: int, at: At) -> None:
    #  stored ...| 11-12 | 13 | -- | -- | 18 ...| 24     (the 14th and the 17th are missing)
    stored = days(date(2025, 10, 1), date(2025, 11, 13)) | days(date(2025, 11, 18), date(2025, 11, 24))
    assert next(iter(windows("1m", MINUTES, "XNYS", stored, now_ms)))[0] == at("2025-11-13T00:00")


def test_weekends_and_holidays_are_not_missing(at: At) -> None:
    # Thanksgiving is the 27th, the 29th and 30th are a weekend.
    stored = days(date(2025, 10, 1), date(2025, 12, 1)) - {date(2025, 11, day) for day in (27, 29, 30)}
    made = list(windows("1m", MINUTES, "XNYS", stored, at("2025-12-01T12:00")))
    assert made == [(at("2025-11-30T00:00"), None)]


def test_the_live_services_minutes_of_today_are_not_a_history(now_ms: int) -> None:
    made = list(windows("1m", MINUTES, "24/7", [date(2025, 11, 24)], now_ms))
    assert made[0][0] == now_ms - 29 * DAY_MS


def test_everything_asks_again_for_what_is_stored(now_ms: int) -> None:
    stored = days(date(2020, 1, 1), date(2025, 11, 24))
    assert list(windows("1d", DAYS, "XNYS", stored, now_ms, everything=True)) == [(None, None)]
    assert len(list(windows("1m", MINUTES, "XNYS", stored, now_ms, everything=True))) == 5


def test_since_names_the_first_day_as_far_as_the_provider_reaches(now_ms: int, at: At) -> None:
    assert list(windows("1d", DAYS, "XNYS", [], now_ms, since=date(2025, 11, 20))) == [(at("2025-11-19T00:00"), None)]
    assert next(iter(windows("1m", MINUTES, "XNYS", [], now_ms, since=date(2024, 1, 2))))[0] == now_ms - 29 * DAY_MS


def test_until_names_the_last_day_and_a_range_is_asked_for_alone(now_ms: int, at: At) -> None:
    day = date(2025, 11, 12)
    assert list(windows("1m", MINUTES, "XNYS", [], now_ms, since=day, until=day)) == [
        (at("2025-11-11T00:00"), at("2025-11-14T00:00"))
    ]
    made = list(windows("1m", MINUTES, "XNYS", [], now_ms, since=date(2025, 11, 3), until=day))
    assert made[0][0] == at("2025-11-02T00:00")
    assert made[-1][1] == at("2025-11-14T00:00")
    assert all(this[1] == following[0] for this, following in pairwise(made))
    assert list(windows("1d", DAYS, "XNYS", [], now_ms, since=day, until=day)) == [
        (at("2025-11-11T00:00"), at("2025-11-14T00:00"))
    ]


def test_a_range_that_the_provider_has_no_more_is_not_asked_for(now_ms: int) -> None:
    day = date(2025, 9, 2)
    assert list(windows("1m", MINUTES, "XNYS", [], now_ms, since=day, until=day)) == []


def test_a_last_day_that_is_not_over_leaves_the_end_open(now_ms: int) -> None:
    assert (
        list(windows("1m", MINUTES, "XNYS", [], now_ms, since=date(2025, 11, 21), until=date(2025, 11, 24)))[-1][1]
        is None
    )
