"""When two sources disagree: per session, and what the newest session decides."""

from datetime import date
from typing import Any

import pytest

from ingestion.checks.agreement import Compared, Day, Finding, findings, newest

pytestmark = pytest.mark.unit

MONDAY, TUESDAY = date(2025, 11, 24), date(2025, 11, 25)
MINUTE_MS = 60_000


def told(seen: Compared, outages: list[tuple[int, int]] | None = None, is_whole: bool = False) -> dict[str, bool]:
    """Check → whether it agrees."""
    return {found.check: found.agrees for found in findings(MONDAY, seen, outages or [], is_whole)}


def minutes(count: int) -> list[int]:
    return [n * MINUTE_MS for n in range(count)]


@pytest.mark.parametrize(
    ("compared", "off", "agrees"),
    [
        (390, 0, True),
        # The share: 19 of 390 is less than five in a hundred, 20 is more.
        (390, 19, True),
        (390, 20, False),
        # A young session: three minutes are corrections, whatever their share.
        (20, 3, True),
        (20, 4, False),
    ],
)
def test_more_minutes_than_corrections_explain_are_a_disagreement(compared: int, off: int, agrees: bool) -> None:
    assert told(Compared(ticks=compared, polls=0, ticks_off=minutes(off))) == {"ticks": agrees}
    assert told(Compared(ticks=0, polls=compared, polls_off=minutes(off))) == {"polls": agrees}


def test_with_little_to_compare_nothing_is_said() -> None:
    assert told(Compared(ticks=9, polls=9, ticks_off=minutes(9), polls_off=minutes(9))) == {}


def test_minutes_that_an_outage_cut_short_say_nothing_about_the_symbol_but_count_in_its_quality() -> None:
    seen = Compared(ticks=100, polls=0, ticks_off=minutes(10))
    assert told(seen) == {"ticks": False}
    assert told(seen, outages=[(0, 8 * MINUTE_MS)]) == {"ticks": True}
    assert seen.disagreeing == 10


def test_a_minute_that_disagrees_twice_is_one_minute() -> None:
    assert Compared(ticks_off=[0, MINUTE_MS], polls_off=[MINUTE_MS]).disagreeing == 2


@pytest.mark.parametrize(
    ("provider", "agrees"),
    [
        (Day(102.0, 99.0, 101.0), True),
        # The auction's official close: within half a per cent.
        (Day(102.0, 99.0, 101.5), True),
        (Day(102.0, 99.0, 101.6), False),
        (Day(102.6, 99.0, 101.0), False),
        (Day(102.0, 98.4, 101.0), False),
    ],
)
def test_a_whole_sessions_minutes_agree_with_the_providers_day(provider: Day, agrees: bool) -> None:
    seen = Compared(minutes=Day(102.0, 99.0, 101.0), provider=provider)
    assert told(seen, is_whole=True) == {"day": agrees}
    # Where minutes are missing, the day's highest may be among them.
    assert told(seen) == {}


def test_a_disagreement_says_what_differs() -> None:
    seen = Compared(minutes=Day(102.0, 99.0, 101.0), provider=Day(110.0, 99.0, 101.0))
    [found] = findings(MONDAY, seen, [], is_whole=True)
    assert found.detail == "the minutes' high 102 against 110 of the provider's day"


def test_the_newest_session_that_says_anything_decides() -> None:
    def found(check: str, day: date, agrees: bool) -> Finding:
        return Finding(check, day, 100, 0 if agrees else 50, agrees, "")

    # Monday disagreed, Tuesday does no more; of the days only Monday's was compared.
    every: list[Any] = [found("ticks", MONDAY, False), found("ticks", TUESDAY, True), found("day", MONDAY, False)]
    for order in (every, every[::-1]):
        assert {check: (one.session_date, one.agrees) for check, one in newest(order).items()} == {
            "ticks": (TUESDAY, True),
            "day": (MONDAY, False),
        }
