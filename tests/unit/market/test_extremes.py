"""What quotes tell of the day's high and low, and the daily bar that is as wide as they say."""

from collections.abc import Callable
from itertools import permutations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from market.extremes import EXTREMES, Words, join, newest
from market.frames import to_days
from market.series import SeriesKey
from market.timeframes import DAY_MS, MINUTE_MS
from tests.unit.market.claims import COIN, DAY_OPEN, bar, clock, tick
from tests.unit.market.folds import Fold
from tests.unit.market.worlds import MONDAY, BarEvent, Event, TickEvent

pytestmark = pytest.mark.unit

DAY = SeriesKey(COIN, "1d", "regular")


def quoted(minute: float, price: float, high: float = np.nan, low: float = np.nan, day: int = 0) -> TickEvent:
    return TickEvent(COIN, DAY_OPEN + day * DAY_MS + int(minute * MINUTE_MS), price, day_high=high, day_low=low)


def ranges(fold: Fold, timeframe: str = "1d") -> list[tuple[float, float]]:
    return [(row["high"], row["low"]) for row in fold.store.bars(SeriesKey(COIN, timeframe, "regular"))]


def folded(*batches: list[Event], restarts: bool = False) -> Fold:
    fold = Fold()
    for batch in batches:
        if restarts:
            fold.restart()
        fold.step(batch)
    return fold


def word(high: tuple[int, float] = (0, 0.0), low: tuple[int, float] = (0, 0.0)) -> Words:
    return np.array([(1, *high, *low)], EXTREMES)


words = st.builds(
    word,
    st.tuples(st.integers(1, 3), st.integers(10, 12).map(float)) | st.just((0, 0.0)),
    st.tuples(st.integers(1, 3), st.integers(7, 9).map(float)) | st.just((0, 0.0)),
)


@given(st.lists(words, min_size=1, max_size=5), st.randoms())
def test_words_join_in_any_order_and_however_often(told: list[Words], random: object) -> None:
    def joined(these: list[Words]) -> bytes:
        out = these[0]
        for one in these[1:]:
            out = join(out, one)
        return out.tobytes()

    shuffled = [*told, *told]
    random.shuffle(shuffled)  # type: ignore[attr-defined]
    assert joined(shuffled) == joined(told) == newest(np.concatenate(told), np.array([0])).tobytes()


def test_of_two_words_the_newer_counts_and_at_the_same_time_the_wider() -> None:
    assert join(word((1, 12.0), (1, 7.0)), word((2, 11.0), (1, 8.0))).tolist() == [(1, 2, 11.0, 1, 7.0)]
    assert join(word((1, 11.0)), word((1, 12.0), (3, 9.0))).tolist() == [(1, 1, 12.0, 3, 9.0)]


def test_a_day_a_week_and_a_month_that_form_are_as_wide_as_the_quotes_of_their_session_say() -> None:
    #   minute 0                1
    #   10, high 12 low 9.5     11 (says nothing)
    fold = folded([quoted(0, 10.0, 12.0, 9.5)], [quoted(1, 11.0)])
    for timeframe in ("1d", "1w", "1mo"):
        assert ranges(fold, timeframe) == [(12.0, 9.5)], timeframe
    for timeframe in ("5m", "15m", "30m", "1h"):
        assert ranges(fold, timeframe) == [(11.0, 10.0)], "which of them the trade was in nobody knows"
    assert fold.book.latest[["day_high", "day_low"]].tolist()[:1] == [(12.0, 9.5)]


@pytest.mark.parametrize("restarts", [False, True])
def test_a_days_first_quotes_may_still_tell_of_the_day_before(restarts: bool) -> None:
    #   Monday, high 14        | Tuesday: high 14 (still), then high 10.5
    batches: list[list[Event]] = [
        [quoted(0, 10.0, 14.0, 6.0)],
        [quoted(0.1, 10.0, 14.0, 6.0, day=1)],
        [quoted(0.2, 10.2, 10.5, 9.9, day=1)],
        [clock(2 * 1440, 0), clock(2 * 1440, 1)],
    ]
    assert ranges(folded(*batches, restarts=restarts)) == [(14.0, 6.0), (10.5, 9.9)]


@pytest.mark.parametrize("restarts", [False, True])
def test_it_does_not_matter_in_which_order_the_words_of_two_days_come(restarts: bool) -> None:
    told = [
        quoted(5, 10.0, 12.0),
        quoted(9, 10.0, 11.5),
        quoted(2, 10.0, high=13.0, low=9.0),
        quoted(1, 10.0, 11.0, 9.5, day=1),
    ]
    for order in permutations(told):
        batches: list[list[Event]] = [[event] for event in order]
        fold = folded(*batches, [clock(2 * 1440, 0), clock(2 * 1440, 1)], restarts=restarts)
        assert ranges(fold) == [(11.5, 9.0), (11.0, 9.5)], order
        assert ranges(fold, "1w") == [(11.5, 9.0)], order


def test_a_correction_of_our_minutes_narrows_our_part_and_not_what_quotes_say() -> None:
    #   minute 0: 10, then 15 (a spike)   the provider's row: high 10.2      then a newer word: 10.4
    fold = folded([quoted(0, 10.0, 10.3), tick(0.5, 15.0), clock(0.6)])
    assert ranges(fold) == [(15.0, 10.0)]
    row = BarEvent(COIN, "1m", MONDAY, DAY_OPEN, (10.0, 10.2, 9.9, 10.1, 5.0), DAY_OPEN + 3 * MINUTE_MS)
    fold.step([row, clock(3)])
    assert ranges(fold) == [(10.3, 9.9)]
    fold.step([quoted(3.5, 10.0, 10.4), clock(5)])
    assert ranges(fold) == [(10.4, 9.9)]


@pytest.mark.parametrize("comes_last", [False, True])
def test_a_providers_complete_day_is_not_widened(comes_last: bool) -> None:
    day = BarEvent(COIN, "1d", MONDAY, DAY_OPEN, (10, 11, 9, 10, 5.0), DAY_OPEN + 2 * DAY_MS)
    told = quoted(0, 10.0, 12.0, 8.0)
    fold = folded(*([[told], [day]] if comes_last else [[day], [told]]), [clock(2 * 1440, 0), clock(2 * 1440, 1)])
    assert ranges(fold) == [(11.0, 9.0)]


def test_a_word_that_was_committed_before_its_day_was_rolled_up_outlives_the_driver() -> None:
    """What only forms is rolled up once a second: here the driver dies in between."""
    fold = folded([quoted(0, 10.0, 11.0), clock(0.01)])
    fold.step([quoted(0.005, 10.0, 12.0)])
    assert ranges(fold) == [(11.0, 10.0)], "it is not its turn"
    fold.restart()
    fold.step([clock(1)])
    assert ranges(fold) == [(12.0, 10.0)]


def test_a_late_word_of_a_closed_day_is_a_revision_of_it_and_of_its_week() -> None:
    ends: Callable[[float], list[Event]] = lambda minute: [clock(minute, 0), clock(minute, 1)]  # noqa: E731
    fold = folded([quoted(0, 10.0, 11.0)], [quoted(1, 10.0, day=1), *ends(1440 + 2)])
    changes = fold.step([quoted(0, 10.0, 11.0), quoted(0.1, 10.0, 12.0)])
    assert ranges(fold) == [(12.0, 10.0), (10.0, 10.0)]
    assert ranges(fold, "1w") == [(12.0, 10.0)], "at once, as every correction"
    replaced = {change.key.timeframe: change.replaced["high"].tolist() for change in changes.series}
    assert replaced["1d"] == [11.0]


def test_a_day_is_not_rewritten_for_words_that_say_the_same() -> None:
    fold = folded([quoted(0, 10.0, 12.0), clock(0.01)])
    changes = fold.step([quoted(0.001, 10.0, 12.0)])
    assert "1d" not in {change.key.timeframe for change in changes.series}
    assert changes.latest.rows["high_ms"].tolist() == [DAY_OPEN + 60]


def test_minutes_without_quotes_are_as_before() -> None:
    fold = folded([bar(0, 10.0), tick(1, 11.0)])
    [row] = fold.store.bars(DAY)
    assert (row["high"], row["low"], row["session_date"]) == (11.0, 10.0, to_days(MONDAY))
    assert np.isnan([row["quoted_high"], row["quoted_low"]]).all()
