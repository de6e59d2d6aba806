"""Indicators across a split: as if it had not happened, whenever it becomes known."""

from collections.abc import Iterable
from dataclasses import dataclass, field, replace
from datetime import date, timedelta

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from numpy.typing import NDArray

from market import indicators, past
from market.actions import TAKEN_BACK, Split, Splits, Told
from market.batches import Changes
from market.book import Book
from market.calendars import sessions
from market.frames import to_days
from market.memory import KEEP_ROWS
from market.recompute import recompute_all
from market.series import SeriesKey
from market.timeframes import DAY_MS, MINUTE_MS
from tests.unit.market.folds import Fold
from tests.unit.market.test_book import keeping
from tests.unit.market.worlds import FRIDAY, INSTRUMENTS, MONDAY, BarEvent, ClockEvent, Event, batch_of, open_ms

pytestmark = pytest.mark.unit

SYMBOL = "AAPL"
PRICES = (
    "sma_4", "sma_5", "sma_20", "sma_50", "sma_200", "ema_12", "ema_26", "macd", "macd_signal", "macd_histogram", "bb_upper",
    "bb_middle", "bb_lower", "atr_14", "session_vwap", "change",
)  # fmt: skip
VOLUMES = ("obv", "volume_sma_20")
SCALE_FREE = ("rsi_14", "volatility_20", "roc_10", "change_pct")
LATER_MS = 2_000_000_000_000


@dataclass
class SplitFold(Fold):
    """A fold that is told of splits, and reads them again at a start."""

    told: list[Split] = field(default_factory=list)

    def restart(self) -> None:
        self.book = Book(self.store, dict(INSTRUMENTS))
        self.book.know_splits(self.told)
        self.book.clock_ms = dict(self.clocks)
        self.book.memory.meet(list(self.store.rows))
        self.book.resume()

    def take(self, events: Iterable[Event], *splits: Split) -> Changes:
        batch = batch_of(events)
        batch.splits = list(splits)
        changes = self._fold(batch)
        self.told += splits
        self.book.published()
        return changes


def split(day: date, ratio: float, received_ms: int = 1_000) -> Split:
    return Split(SYMBOL, to_days(day), Told(received_ms, ratio))


def walk(count: int) -> NDArray[np.float64]:
    """Closes in whole fours of cents, so that a fourth of them is a whole number of cents."""
    steps = np.random.default_rng(7).integers(-300, 301, count)
    return (100_000 + np.cumsum(steps)) * 4 / 100


def row(timeframe: str, day: date, ts: int, close: float, volume: float, ratio: float) -> BarEvent:
    ohlcv = (close / ratio, (close + 2.0) / ratio, (close - 4.0) / ratio, close / ratio, volume * ratio)
    return BarEvent(SYMBOL, timeframe, day, ts, ohlcv, LATER_MS)


def days(ex_date: date | None, ratio: float) -> list[BarEvent]:
    """Five hundred days as printed where the shares are split on `ex_date`."""
    found = sessions("XNYS", date(2024, 1, 2), date(2026, 3, 1))[:500]
    return [
        row(
            "1d",
            day.session_date,
            day.open_ms,
            close,
            1_000.0 + k,
            ratio if ex_date and day.session_date >= ex_date else 1.0,
        )
        for k, (day, close) in enumerate(zip(found, walk(500).tolist(), strict=True))
    ]


def minutes(ratio: float) -> list[BarEvent]:
    """A Friday's and a Monday's minutes; between them the shares are split."""
    closes = iter(walk(780).tolist())
    return [
        row("1m", day, open_ms(SYMBOL, day) + k * MINUTE_MS, next(closes), 100.0 + k, ratio if day == MONDAY else 1.0)
        for day in (FRIDAY, MONDAY)
        for k in range(390)
    ]


EX_DATE = date(2025, 2, 4)  # a Tuesday: the week and the month go on over it


def values_of(fold: Fold, timeframe: str, name: str) -> NDArray[np.float64]:
    return np.array(fold.store.values(SeriesKey(SYMBOL, timeframe, "regular"), name))


def assert_as_if_not_split(with_split: Fold, without: Fold, timeframe: str, ex_date: date, ratio: float) -> None:
    bars = with_split.store.bars(SeriesKey(SYMBOL, timeframe, "regular"))
    factor = np.where([bar["session_date"] >= to_days(ex_date) for bar in bars], ratio, 1.0)
    assert 0 < np.count_nonzero(factor == 1.0) < len(factor)
    for names, by in ((PRICES, factor), (VOLUMES, 1 / factor), (SCALE_FREE, np.ones(len(factor)))):
        for name in names:
            expected = values_of(without, timeframe, name)
            np.testing.assert_allclose(
                values_of(with_split, timeframe, name) * by,
                expected,
                rtol=1e-9,
                atol=1e-9,
                err_msg=f"{timeframe} {name}",
            )


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


def state_of(fold: Fold) -> dict[SeriesKey, dict[int, tuple[bytes, ...]]]:
    """Content, states and values of every stored row, to the last bit; a revision counts how often it was another."""
    fold.take([ClockEvent(LATER_MS, 0)])  # closes the weeks and months
    told = {}
    for key, table in fold.store.rows.items():
        told[key] = {
            ts: (bytes(np.array([bar[name] for name in ("open", "high", "low", "close", "volume")])), *map(bytes, rest))
            for ts, (bar, *rest) in table.items()
        }
    return told


def in_one_batch() -> SplitFold:
    fold = SplitFold()
    fold.take(days(EX_DATE, 3.0), split(EX_DATE, 3.0))
    fold.take([ClockEvent(LATER_MS, 0)])
    return fold


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


def test_what_is_known_of_splits_does_not_hang_on_the_order_of_words() -> None:
    words = [split(EX_DATE, ratio, ms) for ratio, ms in ((2.0, 1), (4.0, 3), (3.0, 3), (2.0, 2))]
    for order in (words, words[::-1], words[2:] + words[:2]):
        known = Splits()
        for word in order:
            known.learn([word])
        day = to_days(EX_DATE)
        assert known.between(SYMBOL, day - 1, day) == [(day, 4.0)]
        assert known.between(SYMBOL, day, day + timedelta(days=9).days) == []
