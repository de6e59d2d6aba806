"""Corrections of older sessions: folded by themselves, their consequences worked off in slices, to the same bits."""

from dataclasses import replace
from datetime import timedelta

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from market import past
from market.indicators import LOOKBACK
from market.series import SeriesKey
from market.timeframes import MINUTE_MS, TIMEFRAMES
from tests.unit.market.claims import COIN, MINUTES, clock
from tests.unit.market.folds import Fold, account, difference
from tests.unit.market.oracles import wrong_frames, wrong_indicators
from tests.unit.market.test_book import AT_ONCE, Log, Plan, keeping, logs, plans, run
from tests.unit.market.worlds import FRIDAY, BarEvent, Event, TickEvent, open_ms

pytestmark = pytest.mark.unit

DAY_MINUTES = 24 * 60


@pytest.mark.slow
@given(logs(), plans, st.lists(st.integers(0, 3), min_size=1, max_size=4), st.sampled_from([1, 2, 5]))
def test_what_is_folded_apart_ends_in_the_same_bars(log: Log, plan: Plan, slices: list[int], rows: int) -> None:
    at_once = run(log, AT_ONCE).store
    before, past.SLICE_ROWS = past.SLICE_ROWS, rows
    try:
        with keeping(1):
            apart = run(log, replace(plan, cuts=[*plan.cuts, 6, 9, 12]), slices)
    finally:
        past.SLICE_ROWS = before
    assert difference(at_once, apart.store) == ""
    assert wrong_indicators(apart.store) == ""
    assert wrong_frames(apart.store, log.live + log.history) == ""


def minutes(days: int) -> list[Event]:
    """Whole days of a market that never closes, from Friday on, each minute told by its provider."""
    start = open_ms(COIN, FRIDAY)
    rng = np.random.default_rng(5)
    cents = 10_000 + np.cumsum(rng.integers(-9, 10, days * DAY_MINUTES))
    # Of one and the same true range each minute the average, rounded each time, would stay where it once was.
    reach = rng.integers(1, 90, days * DAY_MINUTES)
    told = np.stack([cents, cents + reach, cents - reach, cents], axis=1) / 100
    return [
        BarEvent(
            COIN, "1m", FRIDAY + timedelta(days=k // DAY_MINUTES), ts := start + k * MINUTE_MS,
            (*prices, 3.0), ts + 10 * MINUTE_MS,
        )
        for k, prices in enumerate(told.tolist())
    ]  # fmt: skip


def corrected(event: Event, close: float, volume: float = 3.0) -> BarEvent:
    assert isinstance(event, BarEvent)
    high, low = max(event.ohlcv[1], close), min(event.ohlcv[2], close)
    return replace(
        event, ohlcv=(event.ohlcv[0], high, low, close, volume), fetched_ms=event.fetched_ms + 60 * MINUTE_MS
    )


@pytest.fixture(scope="module")
def week() -> list[Event]:
    return minutes(6)


def filled(events: list[Event], *, divides: bool) -> Fold:
    fold = Fold(divides=divides)
    for first in range(0, len(events), 2_000):
        fold.step(events[first : first + 2_000])
    fold.step([clock(0), TickEvent(COIN, open_ms(COIN, FRIDAY) + len(events) * MINUTE_MS + 5_000, 101.0)])
    return fold


def slices_of_minutes(fold: Fold) -> int:
    """How many slices the recomputation of the minutes takes; those of the other frames are left out."""
    fold.queue = {MINUTES: fold.queue[MINUTES]}
    slices = 0
    while fold.queue:
        fold.work_off(1)
        slices += 1
    return slices


def test_a_correction_of_last_week_leaves_the_newest_bars_alone_until_its_turn_comes(week: list[Event]) -> None:
    fold = filled(week, divides=True)
    newest = account(fold.store)[MINUTES][-1]
    changes = fold.step([corrected(week[100], 90.0)])
    assert len(changes.series) == 0, "nothing of the live book's own"
    closes = [bar["close"] for bar in fold.store.bars(MINUTES)]
    assert closes[100] == 90.0
    day = next(bar for bar in fold.store.bars(SeriesKey(COIN, "1d", "regular")))
    assert day["low"] <= 90.0, "every higher frame has it at once"
    assert account(fold.store)[MINUTES][-1] == newest
    job = fold.queue[MINUTES]
    assert job.from_ms == open_ms(COIN, FRIDAY + timedelta(days=1)), "the rest of its session was done at once"
    assert {key.timeframe for key in fold.queue} == set(TIMEFRAMES) - {"1mo"}, "of which there is none after it"
    fold.work_off()
    undisturbed = filled([*week[:100], corrected(week[100], 90.0), *week[101:]], divides=False)
    assert difference(undisturbed.store, fold.store) == ""


def test_a_recomputation_ends_where_nothing_changes_any_more(week: list[Event]) -> None:
    fold = filled(week, divides=True)
    told = week[100]
    assert isinstance(told, BarEvent)
    opened, high, low, close, volume = told.ohlcv
    fold.step([replace(told, ohlcv=(opened, high + 5, low, close, volume), fetched_ms=told.fetched_ms + MINUTE_MS)])
    slices = slices_of_minutes(fold)
    # The rest of its session was done at once: by its end the average of true ranges has forgotten this one to the last bit.
    assert slices == 1
    assert len(week) > DAY_MINUTES + 2 * past.SLICE_ROWS


def test_a_volume_that_changes_is_carried_on_to_the_newest_bar(week: list[Event]) -> None:
    """On-balance volume is a sum over everything: here nothing ends before the newest bar."""
    fold = filled(week, divides=True)
    fold.step([corrected(week[100], 90.0, volume=5.0)])
    assert slices_of_minutes(fold) >= (len(week) - DAY_MINUTES) // past.SLICE_ROWS
    assert wrong_indicators(fold.store) != "", "the other frames still wait"


def test_trades_go_on_while_a_recomputation_is_under_way(week: list[Event]) -> None:
    after = open_ms(COIN, FRIDAY) + len(week) * MINUTE_MS
    live = [TickEvent(COIN, after + k * 20_000, 100.0 + k % 7, 100 + k) for k in range(1, 30)]
    fold = filled(week, divides=True)
    fold.step([corrected(week[2_000], 90.0, volume=5.0), live[0]])
    for tick in live[1:]:
        fold.step([tick, clock((tick.ms - after) // MINUTE_MS)])
        fold.work_off(1)
    fold.work_off()
    undisturbed = filled([*week[:2_000], corrected(week[2_000], 90.0, volume=5.0), *week[2_001:]], divides=False)
    for tick in live:
        undisturbed.step([tick, clock((tick.ms - after) // MINUTE_MS)])
    assert difference(undisturbed.store, fold.store) == ""
    assert wrong_indicators(fold.store) == ""


def test_within_the_two_newest_sessions_a_correction_is_done_at_once(week: list[Event]) -> None:
    fold = filled(week, divides=True)
    # Trading has begun on the seventh day: the sixth is the session before.
    fold.step([corrected(week[5 * DAY_MINUTES + 3], 90.0)])
    assert fold.queue == {}
    assert wrong_indicators(fold.store) == ""
    fold.step([corrected(week[5 * DAY_MINUTES - 3], 90.0)])
    assert MINUTES in fold.queue


@pytest.mark.parametrize(
    ("one", "other", "both"),
    [
        # (from, through)
        ((100, 100), (50, 70), (50, 100)),
        # One of them has been worked off up to 300: from there on values are still those of before it.
        ((300, 100), (50, 50), (50, 300)),
        ((300, 100), (400, 400), (300, 400)),
    ],
)
def test_a_recomputation_of_a_bar_that_another_correction_reaches_again_does_both(
    one: tuple[int, int], other: tuple[int, int], both: tuple[int, int]
) -> None:
    mine, its = past.Recomputation(MINUTES, *one), past.Recomputation(MINUTES, *other)
    assert mine.joined(its) == its.joined(mine) == past.Recomputation(MINUTES, *both)


def test_what_a_correction_has_left_to_do_is_done_when_another_one_before_it_ends_early(week: list[Event]) -> None:
    #   day 1: a high, soon forgotten   day 2: a close, whose consequences reach the newest bar
    #     (second correction)             (first correction)  ...worked off up to day 4
    fold = filled(week, divides=True)
    fold.step([corrected(week[DAY_MINUTES + 60], 90.0, volume=5.0)])
    while fold.queue[MINUTES].from_ms < open_ms(COIN, FRIDAY + timedelta(days=3)):
        fold.work_off(1)
    told = week[100]
    assert isinstance(told, BarEvent)
    opened, high, low, close, volume = told.ohlcv
    fold.step([replace(told, ohlcv=(opened, high + 5, low, close, volume), fetched_ms=told.fetched_ms + MINUTE_MS)])
    fold.work_off()
    assert wrong_indicators(fold.store) == ""


def test_a_recomputation_reads_no_more_than_a_slice_and_its_window(week: list[Event]) -> None:
    fold = filled(week, divides=True)
    fold.step([corrected(week[100], 90.0, volume=5.0)])
    read = 0
    whole = fold.store.rows_before

    def counted(key: SeriesKey, ts_ms: int, count: int):  # type: ignore[no-untyped-def]
        nonlocal read
        found = whole(key, ts_ms, count)
        read += len(found[0])
        return found

    fold.store.rows_before = counted  # type: ignore[method-assign]
    fold.queue = {MINUTES: fold.queue[MINUTES]}
    fold.work_off(1)
    assert read < 3 * past.SLICE_ROWS + LOOKBACK
