"""Whenever and in whatever order splits are published, corrected and withdrawn, and across restarts: the same bits."""

from dataclasses import replace
from datetime import timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from market import past
from market.actions import TAKEN_BACK, Splits
from market.frames import to_days
from tests.unit.market.split_series import EX_DATE, LATER_MS, SYMBOL, SplitFold, days, in_one_batch, split, state_of
from tests.unit.market.test_book import keeping
from tests.unit.market.worlds import Event

pytestmark = pytest.mark.unit


def test_day_by_day_with_restarts_ends_in_the_same_bits() -> None:
    fold = SplitFold()
    fold.take([], split(EX_DATE, 3.0))
    printed = days(EX_DATE, 3.0)
    for start in range(0, 500, 20):
        if start % 60 == 0:
            fold.restart()
        fold.take(printed[start : start + 7])
        fold.take(printed[start + 7 : start + 20])
    assert state_of(fold) == state_of(in_one_batch())


@pytest.mark.parametrize("known_after", [280, 400, 500])
def test_a_split_that_becomes_known_late_ends_in_the_same_bits(known_after: int) -> None:
    fold = SplitFold()
    printed = days(EX_DATE, 3.0)
    fold.take(printed[:known_after])
    fold.restart()
    changes = fold.take([], split(EX_DATE, 3.0))
    fold.take(printed[known_after:])
    assert state_of(fold) == state_of(in_one_batch())
    # Days stand as printed; the week and the month that it lies in are counted in other shares, and nothing else.
    assert {changes.series.keys[number].timeframe for number in changes.series.replaced_which.tolist()} <= {"1w", "1mo"}
    assert len(changes.series.replaced) <= 2


def test_corrected_and_taken_back_in_any_order() -> None:
    words = [split(EX_DATE, 2.0, 1_000), split(EX_DATE, 3.0, 2_000)]
    for order in (words, words[::-1]):
        fold = SplitFold()
        fold.take(days(EX_DATE, 3.0), order[0])
        fold.take([], order[1])
        assert state_of(fold) == state_of(in_one_batch())
    never, taken_back = SplitFold(), in_one_batch()
    never.take(days(EX_DATE, 3.0))
    taken_back.take([], split(EX_DATE, 0.0, 3_000))
    assert state_of(taken_back) == state_of(never)


@pytest.mark.slow
@given(
    st.integers(0, 500), st.integers(0, 500), st.sampled_from([4.0, 3.0, 0.125, 1.5]), st.sampled_from([None, 0, 130])
)
def test_published_and_withdrawn_is_never_published(
    published: int, later: int, ratio: float, moved: int | None
) -> None:
    """At any day of the history, with restarts between, and where the same split is published for another date too."""
    printed = days(None, 1.0)
    at, until = sorted((published, later))
    another = [] if moved is None else [split(printed[moved].day, ratio, 5_000)]
    never, taken_back = SplitFold(), SplitFold()
    taken_back.take(printed[:at], split(EX_DATE, ratio, 1_000))
    taken_back.restart()
    taken_back.take(printed[at:until])
    taken_back.take([], split(EX_DATE, TAKEN_BACK, 2_000), *another)
    taken_back.take(printed[until:], split(EX_DATE, ratio, 1_500))  # an old copy that comes late
    never.take(printed, *another)
    assert state_of(taken_back) == state_of(never)


@pytest.mark.slow
@given(
    st.lists(
        st.tuples(
            st.sampled_from(["days", "correction", "split"]),
            st.integers(0, 499),
            st.sampled_from([3.0, 2.0, TAKEN_BACK]),
            st.integers(0, 3),
        ),
        min_size=2,
        max_size=7,
    )
)
def test_splits_and_corrections_of_long_ago_are_worked_off_to_the_same_bits(
    steps: list[tuple[str, int, float, int]],
) -> None:
    """Folded apart, with slices of 20 days between and a short memory, against all at once."""
    printed = days(EX_DATE, 3.0)
    apart, at_once = SplitFold(divides=True), SplitFold()
    before, past.SLICE_ROWS = past.SLICE_ROWS, 20
    try:
        with keeping(64):
            for fold in (apart, at_once):
                fold.take(printed[200:])
            apart.restart()
            for number, (kind, k, ratio, slices) in enumerate(steps):
                events: list[Event] = printed[k : k + 60] if kind == "days" else []
                if kind == "correction":
                    first, high, low, last, volume = printed[k].ohlcv
                    ohlcv = (first, high + 1.0, low, last, volume + 8.0)
                    events = [replace(printed[k], ohlcv=ohlcv, fetched_ms=LATER_MS + number)]
                words = [split(printed[k].day if k % 2 else EX_DATE, ratio, number + 1)] if kind == "split" else []
                for fold in (apart, at_once):
                    fold.take(events, *words)
                apart.work_off(slices)
            apart.work_off()
    finally:
        past.SLICE_ROWS = before
    assert state_of(apart) == state_of(at_once)


def test_what_is_known_of_splits_does_not_hang_on_the_order_of_words() -> None:
    words = [split(EX_DATE, ratio, ms) for ratio, ms in ((2.0, 1), (4.0, 3), (3.0, 3), (2.0, 2))]
    for order in (words, words[::-1], words[2:] + words[:2]):
        known = Splits()
        for word in order:
            known.learn([word])
        day = to_days(EX_DATE)
        assert known.between(SYMBOL, day - 1, day) == [(day, 4.0)]
        assert known.between(SYMBOL, day, day + timedelta(days=9).days) == []
