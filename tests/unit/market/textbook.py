"""Every indicator as a textbook writes it, in plain Python, from the first bar on: nothing is shared with the kernel.

A series is lists of numbers, oldest first; a volume may be None. Each function gives a list as long as the series, None where the
indicator has no value.
"""

import math
import statistics
from collections.abc import Callable, Sequence
from dataclasses import dataclass

Column = list[float | None]


@dataclass(frozen=True)
class Candles:
    """`session` numbers the trading day of each bar."""

    high: list[float]
    low: list[float]
    close: list[float]
    volume: list[float | None]
    session: list[int]

    def __len__(self) -> int:
        return len(self.close)

    def volume_scale(self) -> float:
        """All that was traded: what a running sum of volumes may have in it."""
        return math.fsum(volume for volume in self.volume if volume is not None)


def windows(values: Sequence[float | None], length: int, of: Callable[[list[float]], float]) -> Column:
    """`of` each run of `length` values; None where one of them is missing."""
    found: Column = []
    for end in range(1, len(values) + 1):
        window = [value for value in values[max(0, end - length) : end] if value is not None]
        found.append(of(window) if len(window) == length else None)
    return found


def mean(values: list[float]) -> float:
    return math.fsum(values) / len(values)


def smoothed(values: list[float], length: int, weight: float) -> Column:
    """previous · (1 − weight) + value · weight, seeded with the mean of the first `length` values."""
    found: Column = [None] * min(length - 1, len(values))
    for k in range(length - 1, len(values)):
        before = found[k - 1] if k >= length else None
        found.append(mean(values[:length]) if before is None else before * (1 - weight) + values[k] * weight)
    return found


def sma(candles: Candles, length: int) -> Column:
    return windows(candles.close, length, mean)


def ema(candles: Candles, length: int) -> Column:
    return smoothed(candles.close, length, 2 / (length + 1))


def steps(candles: Candles) -> list[float]:
    return [b - a for a, b in zip(candles.close, candles.close[1:], strict=False)]


def rsi(candles: Candles, length: int = 14) -> Column:
    rises = smoothed([max(step, 0.0) for step in steps(candles)], length, 1 / length)
    falls = smoothed([max(-step, 0.0) for step in steps(candles)], length, 1 / length)
    return [None, *(strength(up, down) for up, down in zip(rises, falls, strict=True))]


def strength(up: float | None, down: float | None) -> float | None:
    if up is None or down is None:
        return None
    if up == 0 and down == 0:
        return 50.0
    return 100.0 if down == 0 else 100 - 100 / (1 + up / down)


def macd(candles: Candles) -> Column:
    return [
        None if slow is None else fast - slow for fast, slow in zip(ema(candles, 12), ema(candles, 26), strict=True)
    ]


def macd_signal(candles: Candles) -> Column:
    line = macd(candles)
    return [None] * min(25, len(line)) + smoothed([value for value in line if value is not None], 9, 0.2)


def macd_histogram(candles: Candles) -> Column:
    pairs = zip(macd(candles), macd_signal(candles), strict=True)
    return [None if signal is None else line - signal for line, signal in pairs]


def band(candles: Candles, width: float) -> Column:
    return windows(candles.close, 20, lambda closes: mean(closes) + width * statistics.pstdev(closes))


def atr(candles: Candles) -> Column:
    ranges = [
        max(high, previous) - min(low, previous)
        for high, low, previous in zip(candles.high[1:], candles.low[1:], candles.close, strict=False)
    ]
    return [None, *smoothed(ranges, 14, 1 / 14)]


def session_vwap(candles: Candles) -> Column:
    found: Column = []
    for k, day in enumerate(candles.session):
        traded = [
            ((candles.high[j] + candles.low[j] + candles.close[j]) / 3, volume)
            for j in range(k + 1)
            if candles.session[j] == day and (volume := candles.volume[j]) is not None
        ]
        shares = math.fsum(volume for _, volume in traded)
        found.append(math.fsum(price * volume for price, volume in traded) / shares if shares else None)
    return found


def obv(candles: Candles) -> Column:
    total, found = 0.0, []
    for k, volume in enumerate(candles.volume):
        if volume is not None and (k == 0 or candles.close[k] > candles.close[k - 1]):
            total += volume
        elif volume is not None and candles.close[k] < candles.close[k - 1]:
            total -= volume
        found.append(None if volume is None else total)
    return found


def volatility(candles: Candles, annual_bars: float) -> Column:
    returns = [math.log(b / a) for a, b in zip(candles.close, candles.close[1:], strict=False)]
    return [None, *windows(returns, 20, lambda window: statistics.stdev(window) * math.sqrt(annual_bars))]


def relative(candles: Candles, length: int) -> Column:
    pairs = zip(candles.close, candles.close[length:], strict=False)
    return [None] * min(length, len(candles)) + [100 * (b - a) / a for a, b in pairs]


def every(candles: Candles, annual_bars: float) -> dict[str, Column]:
    """All columns by the kernel's names."""
    return {
        **{f"sma_{length}": sma(candles, length) for length in (4, 5, 20, 50, 200)},
        "ema_12": ema(candles, 12),
        "ema_26": ema(candles, 26),
        "rsi_14": rsi(candles),
        "macd": macd(candles),
        "macd_signal": macd_signal(candles),
        "macd_histogram": macd_histogram(candles),
        "bb_upper": band(candles, 2),
        "bb_middle": band(candles, 0),
        "bb_lower": band(candles, -2),
        "atr_14": atr(candles),
        "session_vwap": session_vwap(candles),
        "obv": obv(candles),
        "volatility_20": volatility(candles, annual_bars),
        "volume_sma_20": windows(candles.volume, 20, mean),
        "roc_10": relative(candles, 10),
        "change": [None, *steps(candles)],
        "change_pct": relative(candles, 1),
    }
