"""Indicators across a split: as if it had not happened, whenever it becomes known."""

from datetime import date

import numpy as np
import pytest

from market import indicators
from market.actions import TAKEN_BACK
from market.memory import KEEP_ROWS
from market.recompute import recompute_all
from market.series import SeriesKey
from market.timeframes import DAY_MS
from tests.unit.market.folds import Fold
from tests.unit.market.split_series import (
    EX_DATE,
    LATER_MS,
    SCALE_FREE,
    SYMBOL,
    SplitFold,
    assert_as_if_not_split,
    days,
    in_one_batch,
    minutes,
    row,
    split,
    state_of,
    values_of,
)
from tests.unit.market.worlds import MONDAY, BarEvent, open_ms

pytestmark = pytest.mark.unit


@pytest.mark.parametrize("ratio", [4.0, 0.25])
def test_days_weeks_and_months_across_a_split_have_the_indicators_of_a_series_without_it(ratio: float) -> None:
    split_fold, plain = SplitFold(), Fold()
    split_fold.take(days(EX_DATE, ratio), split(EX_DATE, ratio))
    plain.step(days(None, ratio))
    for timeframe in ("1d", "1w", "1mo"):
        assert_as_if_not_split(split_fold, plain, timeframe, EX_DATE, ratio)


@pytest.mark.parametrize("timeframe", ["1m", "5m", "15m", "30m", "1h"])
def test_every_frame_within_the_day_has_them_too(timeframe: str) -> None:
    split_fold, plain = SplitFold(), Fold()
    split_fold.take(minutes(4.0), split(MONDAY, 4.0))
    plain.step(minutes(1.0))
    assert_as_if_not_split(split_fold, plain, timeframe, MONDAY, 4.0)


def test_two_splits_within_one_window() -> None:
    printed = days(EX_DATE, 4.0)
    second = printed[330].day
    printed = [
        bar if bar.day < second else row("1d", bar.day, bar.ts, bar.ohlcv[3] * 4, bar.ohlcv[4] / 4, 2.0)
        for bar in printed
    ]
    split_fold, plain = SplitFold(), Fold()
    split_fold.take(printed, split(EX_DATE, 4.0), split(second, 0.5))
    plain.step(days(None, 1.0))
    after = slice(330, None)
    for name in ("sma_200", "ema_26", "atr_14", "bb_lower"):
        np.testing.assert_allclose(
            values_of(split_fold, "1d", name)[after] * 2.0, values_of(plain, "1d", name)[after], rtol=1e-9
        )
    for name in SCALE_FREE:
        np.testing.assert_allclose(
            values_of(split_fold, "1d", name), values_of(plain, "1d", name), rtol=1e-9, atol=1e-9
        )


def test_the_weeks_and_months_of_what_a_split_changes_follow_in_the_same_batch_without_a_clock() -> None:
    #   no clock yet: weeks and months form, and of symbols that only form others may have their turn
    with_split, plain = SplitFold(), SplitFold()
    for fold in (with_split, plain):
        fold.take(days(None, 1.0))
    with_split.take([], split(EX_DATE, 4.0, 1_000))
    week = SeriesKey(SYMBOL, "1w", "regular")

    def highs(fold: Fold) -> list[float]:
        return [bar["high"] for bar in fold.store.bars(week)]

    assert highs(with_split) != highs(plain), "the week of the ex-date stands in the shares of its Monday"
    with_split.take([], split(EX_DATE, TAKEN_BACK, 2_000))
    assert highs(with_split) == highs(plain)


def test_a_rebuild_finds_nothing_to_change() -> None:
    fold = in_one_batch()
    for key in list(fold.store.rows):
        fold.restart()
        changes = recompute_all(fold.book.memory, key)
        assert changes is not None
        assert not len(changes), key


def test_a_split_before_the_first_bar_or_after_the_last_changes_nothing() -> None:
    fold, plain = SplitFold(), SplitFold()
    for each in (fold, plain):
        each.take(days(None, 1.0))
    for day in (date(2020, 1, 2), date(2026, 11, 20)):
        assert not len(fold.take([], split(day, 4.0)).series)
    assert state_of(fold) == state_of(plain)


def test_memory_stays_bounded_after_an_old_split() -> None:
    fold = SplitFold()
    for bar in range(0, 500, 100):
        fold.take(days(None, 1.0)[bar : bar + 100])
    fold.restart()
    fold.take([], split(date(2024, 2, 1), 2.0))
    assert fold.book.memory.arena.table["size"].max() <= 2 * KEEP_ROWS


def test_the_same_history_fetched_again_after_a_split_changes_no_bar_and_no_indicator() -> None:
    fold = in_one_batch()
    before = state_of(fold)
    again = [BarEvent(*(getattr(bar, name) for name in ("symbol", "timeframe", "day", "ts", "ohlcv")), LATER_MS + DAY_MS)
             for bar in days(EX_DATE, 3.0)]  # fmt: skip
    changes = fold.take(again)
    assert not len(changes.series.replaced)
    assert state_of(fold) == before


def test_the_previous_close_of_the_ex_date_is_in_the_new_shares() -> None:
    fold = SplitFold()
    printed = days(EX_DATE, 4.0)
    at = next(k for k, bar in enumerate(printed) if bar.day == EX_DATE)
    fold.take(printed[:at], split(EX_DATE, 4.0))
    opens = open_ms(SYMBOL, EX_DATE)
    minute = row("1m", EX_DATE, opens, printed[at].ohlcv[3] * 4, 10.0, 4.0)
    changes = fold.take([minute, printed[at]])
    assert changes.latest.rows["previous_close"].tolist() == [printed[at - 1].ohlcv[3] / 4]


def test_every_slot_of_the_state_says_what_it_is_in() -> None:
    assert len(indicators.SHARE_EXPONENTS) == indicators.N_STATE
