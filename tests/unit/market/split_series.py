"""Bars of a share that is split, a fold that is told of it, and what such a fold holds."""

from collections.abc import Iterable
from dataclasses import dataclass, field
from datetime import date

import numpy as np
from numpy.typing import NDArray

from market.actions import Split, Told
from market.batches import Changes
from market.book import Book
from market.calendars import sessions
from market.frames import to_days
from market.series import SeriesKey
from market.timeframes import MINUTE_MS
from tests.unit.market.folds import Fold
from tests.unit.market.worlds import FRIDAY, INSTRUMENTS, MONDAY, BarEvent, ClockEvent, Event, batch_of, open_ms

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
