"""The kernel: every indicator, one bar after another, the same code for stream, backfill and rebuild.

`advance` runs over bars start..stop of one series and gives for each the recursive state after it and its values. A forming
bar is the same step with its state thrown away (`peek`). Nothing depends on how the bars were cut into calls, so that stream,
backfill and rebuild agree to the last bit: sums over prices are sums of integers (price units), and every other sum runs
from the oldest bar to the newest.

Conventions, each with its source:
- SMA: arithmetic mean of the last n closes; NULL before n bars.
- EMA: alpha = 2/(n+1), seeded with the SMA of the first n closes (Appel; TA-Lib's seed).
- RSI: Wilder, New Concepts in Technical Trading Systems (1978): averages seeded with the mean of the first 14 changes, then
  smoothed by (13 * previous + new) / 14. Without any loss 100, without any gain 0, flat on both sides 50.
- MACD: ema_12 - ema_26 of the same row; signal is its EMA(9), seeded with the mean of the first 9 values.
- Bollinger bands: SMA(20) +- 2 population standard deviations (Bollinger, 2001).
- ATR: Wilder, of true ranges; the first true range is the second bar's.
- Session VWAP: sum(typical price * volume) / sum(volume) since the session's first bar, typical = (high + low + close) / 3.
- OBV: Granville; starts at the first bar's volume, as TA-Lib's does.
- Volatility: sample standard deviation of the last 20 log returns, times the square root of the bars in a year.
"""

import hashlib
import math
from pathlib import Path
from typing import Any

import numpy as np
from numba import njit

VALUES = (
    "sma_4",
    "sma_5",
    "sma_20",
    "sma_50",
    "sma_200",
    "ema_12",
    "ema_26",
    "rsi_14",
    "macd",
    "macd_signal",
    "macd_histogram",
    "bb_upper",
    "bb_middle",
    "bb_lower",
    "atr_14",
    "session_vwap",
    "obv",
    "volatility_20",
    "volume_sma_20",
    "roc_10",
    "change",
    "change_pct",
)
# Until its seed is complete, a slot holds the running sum of what the seed averages.
STATE = (
    "count",
    "ema_12",
    "ema_26",
    "signal",
    "gain",
    "loss",
    "atr",
    "obv",
    "vwap_price_volume",
    "vwap_volume",
    "session_date",
)
# What a slot is in: prices (-1: divided by a split's ratio), volumes (1: multiplied with it), or neither. Price x volume stays.
_EXPONENT_OF = {
    "count": 0.0,
    "ema_12": -1.0,
    "ema_26": -1.0,
    "signal": -1.0,
    "gain": -1.0,
    "loss": -1.0,
    "atr": -1.0,
    "obv": 1.0,
    "vwap_price_volume": 0.0,
    "vwap_volume": 1.0,
    "session_date": 0.0,
}
SHARE_EXPONENTS = np.array([_EXPONENT_OF[name] for name in STATE])
LOOKBACK = 200  # closed bars before the first one to compute that must stand in the arrays

N_VALUES = len(VALUES)
N_STATE = len(STATE)

_COUNT, _EMA12, _EMA26, _SIGNAL, _GAIN, _LOSS, _ATR, _OBV, _VWAP_PV, _VWAP_V, _SESSION = range(N_STATE)
_WINDOWS = (4, 5, 20, 50, 200)

EMPTY_STATE = np.zeros(N_STATE)
EMPTY_STATE.setflags(write=False)


def kernel_version() -> str:
    """Changes with every edit of this file: rows computed by another version are computed again."""
    return hashlib.sha256(Path(__file__).read_bytes()).hexdigest()[:16]


@njit(cache=True)
def _ema(previous: float, count: int, length: int, value: float) -> tuple[float, float]:
    """(state, EMA or NaN) after the `count`-th value; the state is a running sum until `length` values are seen."""
    if count < length:
        return previous + value, math.nan
    if count == length:
        seed = (previous + value) / length
        return seed, seed
    smoothed = previous + (value - previous) * (2.0 / (length + 1))
    return smoothed, smoothed


@njit(cache=True)
def _wilder(previous: float, count: int, length: int, value: float) -> tuple[float, float]:
    """The same for Wilder's smoothing, (previous * (length - 1) + value) / length."""
    if count < length:
        return previous + value, math.nan
    if count == length:
        seed = (previous + value) / length
        return seed, seed
    smoothed = (previous * (length - 1) + value) / length
    return smoothed, smoothed


@njit(cache=True)
def _rsi(gain: float, loss: float) -> float:
    if math.isnan(gain):
        return math.nan
    if gain + loss == 0.0:
        return 50.0
    return 100.0 * gain / (gain + loss)


@njit(cache=True)
def _deviation(values: Any, first: int, last: int, mean: float, divisor: int) -> float:
    total = 0.0
    for k in range(first, last):
        total += (values[k] - mean) ** 2
    return math.sqrt(total / divisor)


@njit(cache=True)
def advance(
    high: Any,
    low: Any,
    close: Any,
    volume: Any,
    session_date: Any,
    start: int,
    stop: int,
    before: Any,
    scale: float,
    annual_bars: float,
    states: Any,
    values: Any,
) -> None:
    """Computes bars start..stop-1 of one series into `states` and `values` (rows as the bars, columns as STATE and VALUES).

    `high`, `low`, `close`, `volume` (NaN where the instrument has none) and `session_date` (days since the epoch) are the
    series' bars, oldest first, with at least LOOKBACK of them (or all there are) before `start`. `before` is the state after
    bar start-1 and is not changed. `scale` is 10**price_precision; `annual_bars` the bars of a year.
    """
    state = before.copy()
    sums = np.zeros(5, np.int64)
    for w in range(5):
        for k in range(max(0, start - _WINDOWS[w]), start):
            sums[w] += np.int64(round(close[k] * scale))
    base = max(1, start - 20)
    log_returns = np.zeros(max(0, stop - base))  # of bar base + k at k
    for k in range(base, stop):
        log_returns[k - base] = math.log(close[k] / close[k - 1])

    for i in range(start, stop):
        state[_COUNT] += 1.0
        n = int(state[_COUNT])
        price = close[i]
        out = values[i]
        out[:] = math.nan

        units = np.int64(round(price * scale))
        for w in range(5):
            length = _WINDOWS[w]
            sums[w] += units
            if i - length >= 0:
                sums[w] -= np.int64(round(close[i - length] * scale))
            if n >= length:
                out[w] = sums[w] / length / scale

        state[_EMA12], out[5] = _ema(state[_EMA12], n, 12, price)
        state[_EMA26], out[6] = _ema(state[_EMA26], n, 26, price)
        if n >= 26:
            out[8] = out[5] - out[6]
            state[_SIGNAL], out[9] = _ema(state[_SIGNAL], n - 25, 9, out[8])
            out[10] = out[8] - out[9]

        if n >= 2:
            previous = close[i - 1]
            change = price - previous
            out[20] = change
            out[21] = 100.0 * (price / previous - 1.0)
            state[_GAIN], gain = _wilder(state[_GAIN], n - 1, 14, max(change, 0.0))
            state[_LOSS], loss = _wilder(state[_LOSS], n - 1, 14, max(-change, 0.0))
            out[7] = _rsi(gain, loss)
            true_range = max(high[i] - low[i], abs(high[i] - previous), abs(low[i] - previous))
            state[_ATR], out[14] = _wilder(state[_ATR], n - 1, 14, true_range)
        if n >= 11:
            out[19] = 100.0 * (price / close[i - 10] - 1.0)

        if n >= 20:
            middle = out[2]
            width = 2.0 * _deviation(close, i - 19, i + 1, middle, 20)
            out[11] = middle + width
            out[12] = middle
            out[13] = middle - width
        if n >= 21:
            mean = 0.0
            for k in range(i - 19 - base, i + 1 - base):
                mean += log_returns[k]
            deviation = _deviation(log_returns, i - 19 - base, i + 1 - base, mean / 20, 19)
            out[17] = deviation * math.sqrt(annual_bars)

        if state[_SESSION] != session_date[i]:
            state[_SESSION] = session_date[i]
            state[_VWAP_PV] = 0.0
            state[_VWAP_V] = 0.0
        if not math.isnan(volume[i]):
            state[_VWAP_PV] += (high[i] + low[i] + price) / 3.0 * volume[i]
            state[_VWAP_V] += volume[i]
            if n == 1 or price > close[i - 1]:
                state[_OBV] += volume[i]
            elif price < close[i - 1]:
                state[_OBV] -= volume[i]
            out[16] = state[_OBV]
            if n >= 20:
                total = 0.0
                for k in range(i - 19, i + 1):
                    total += volume[k]
                out[18] = total / 20.0
        if state[_VWAP_V] > 0.0:
            out[15] = state[_VWAP_PV] / state[_VWAP_V]

        states[i] = state


@njit(cache=True)
def advance_many(
    high: Any,
    low: Any,
    close: Any,
    volume: Any,
    session_date: Any,
    bases: Any,
    starts: Any,
    stops: Any,
    scales: Any,
    annual_bars: Any,
    states: Any,
    values: Any,
) -> None:
    """`advance` for many series that stand in the same arrays: series k in rows bases[k]..stops[k]-1, computed from starts[k]."""
    for k in range(len(bases)):
        first, last = bases[k], stops[k]
        before = states[starts[k] - 1] if starts[k] > first else np.zeros(N_STATE)
        advance(
            high[first:last],
            low[first:last],
            close[first:last],
            volume[first:last],
            session_date[first:last],
            starts[k] - first,
            last - first,
            before,
            scales[k],
            annual_bars[k],
            states[first:last],
            values[first:last],
        )
