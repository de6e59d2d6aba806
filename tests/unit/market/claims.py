"""Ticks, clocks and bars of one day in short words, for tests of one claim at a time."""

from market.series import SeriesKey
from market.timeframes import MINUTE_MS
from tests.unit.market.folds import Fold
from tests.unit.market.worlds import MONDAY, BarEvent, ClockEvent, TickEvent, open_ms

COIN = "BTC-USD"
DAY_OPEN = open_ms(COIN, MONDAY)
NEW_YORK = open_ms("AAPL", MONDAY)
MINUTES = SeriesKey(COIN, "1m", "regular")


def tick(minute: float, price: float, day_volume: int = -1, symbol: str = COIN) -> TickEvent:
    start = DAY_OPEN if symbol == COIN else NEW_YORK
    return TickEvent(symbol, start + int(minute * MINUTE_MS), price, day_volume)


def clock(minute: float, partition: int = 1) -> ClockEvent:
    return ClockEvent(DAY_OPEN + int(minute * MINUTE_MS), partition)


def bar(minute: int, close: float, volume: float = 1.0, timeframe: str = "1m", *, is_complete: bool = True) -> BarEvent:
    ts = DAY_OPEN + minute * MINUTE_MS
    return BarEvent(COIN, timeframe, MONDAY, ts, (close, close, close, close, volume), ts + 10 * MINUTE_MS, is_complete)


def flags(fold: Fold, key: SeriesKey = MINUTES) -> list[tuple[bool, bool]]:
    return [(row["closed"], row["final"]) for row in fold.store.bars(key)]


def closes(fold: Fold, key: SeriesKey = MINUTES) -> list[float]:
    return [row["close"] for row in fold.store.bars(key)]
