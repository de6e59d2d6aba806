from datetime import date

import pytest

from ingestion.records.splits import SplitFactors

pytestmark = pytest.mark.unit

APPLE = [(date(2020, 8, 31), 4.0), (date(2014, 6, 9), 7.0)]


@pytest.mark.parametrize(
    ("day", "factor"),
    [
        (date(2014, 6, 6), 28.0),
        (date(2014, 6, 9), 4.0),  # the ex-date trades at the new price
        (date(2020, 8, 28), 4.0),
        (date(2020, 8, 31), 1.0),
        (date(2026, 1, 2), 1.0),
    ],
)
def test_a_day_is_adjusted_by_all_splits_after_it(day: date, factor: float) -> None:
    assert SplitFactors(APPLE).of(day) == factor


def test_a_split_that_is_named_twice_counts_once() -> None:
    assert SplitFactors([*APPLE, APPLE[0]]).of(date(2010, 1, 4)) == 28.0


def test_a_reverse_split_makes_old_prices_smaller() -> None:
    assert SplitFactors([(date(2023, 7, 3), 0.1)]).of(date(2023, 6, 30)) == 0.1


def test_without_splits_nothing_is_adjusted() -> None:
    assert SplitFactors([]).of(date(2000, 1, 3)) == 1.0
