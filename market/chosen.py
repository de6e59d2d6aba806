"""The kernel of chosen indicators (`market.choices`): the same steps as the kernel's own, with the parameters as data.

A choice that equals a column of the kernel gives the same bits: both use the same functions, and sum in the same order. What holds
of the kernel holds here: nothing depends on how bars were cut into calls, and a forming bar is a step whose state is not kept.
"""

import hashlib
import math
from pathlib import Path
from typing import Any

import numpy as np
from numba import njit
from numpy.typing import NDArray

from market import choices, indicators
from market.choices import CODES, Choices
from market.indicators import _deviation, _ema, _rsi, _wilder

NOTHING = Choices()

_SMA, _ROC, _VOLUME_SMA = CODES["sma"], CODES["roc"], CODES["volume_sma"]
_EMA, _RSI, _MACD, _ATR = CODES["ema"], CODES["rsi"], CODES["macd"], CODES["atr"]
_BOLLINGER, _VOLATILITY = CODES["bollinger"], CODES["volatility"]


def code_version() -> str:
    """Changes with every edit of what chosen indicators are computed by."""
    files = (__file__, indicators.__file__, choices.__file__)
    return hashlib.sha256(b"".join(Path(name).read_bytes() for name in files)).hexdigest()[:16]


def n_state(chosen: Choices) -> int:
    """Columns of a row of state: the kernel's, then those of the choices."""
    return indicators.N_STATE + chosen.n_state


def n_values(chosen: Choices) -> int:
    return indicators.N_VALUES + chosen.n_values


@njit
def _averages(
    close: Any, first: int, start: int, stop: int, length: int, scale: float, counts: Any, values: Any, at: int
) -> None:
    total = np.int64(0)
    for k in range(max(first, start - length), start):
        total += np.int64(round(close[k] * scale))
    for i in range(start, stop):
        total += np.int64(round(close[i] * scale))
        if i - length >= first:
            total -= np.int64(round(close[i - length] * scale))
        values[i, at] = total / length / scale if counts[i] >= length else math.nan


@njit
def _bands(close: Any, start: int, stop: int, length: int, width: float, counts: Any, values: Any, at: int) -> None:
    """Around the average that stands in the middle column."""
    for i in range(start, stop):
        middle = values[i, at + 1]
        values[i, at] = values[i, at + 2] = math.nan
        if counts[i] >= length:
            reach = width * _deviation(close, i - length + 1, i + 1, middle, length)
            values[i, at] = middle + reach
            values[i, at + 2] = middle - reach


@njit
def _volatilities(
    close: Any, first: int, start: int, stop: int, length: int, annual_bars: float, counts: Any, values: Any, at: int
) -> None:
    base = max(first + 1, start - length)
    log_returns = np.zeros(max(0, stop - base))  # of bar base + k at k
    for k in range(base, stop):
        log_returns[k - base] = math.log(close[k] / close[k - 1])
    for i in range(start, stop):
        values[i, at] = math.nan
        if counts[i] >= length + 1:
            mean = 0.0
            for k in range(i - length + 1 - base, i + 1 - base):
                mean += log_returns[k]
            deviation = _deviation(log_returns, i - length + 1 - base, i + 1 - base, mean / length, length - 1)
            values[i, at] = deviation * math.sqrt(annual_bars)


@njit
def _volumes(volume: Any, start: int, stop: int, length: int, counts: Any, values: Any, at: int) -> None:
    for i in range(start, stop):
        values[i, at] = math.nan
        if counts[i] >= length and not math.isnan(volume[i]):
            total = 0.0
            for k in range(i - length + 1, i + 1):
                total += volume[k]
            values[i, at] = total / length


@njit
def _recursions(
    code: int,
    high: Any,
    low: Any,
    close: Any,
    start: int,
    stop: int,
    p: Any,
    state: Any,
    counts: Any,
    states: Any,
    s: int,
    values: Any,
    v: int,
) -> None:
    """Kinds that go on from the bar before. `state` is the state after it, and is used up."""
    length = int(p[0])
    for i in range(start, stop):
        n, price = int(counts[i]), close[i]
        values[i, v] = math.nan
        if code == _EMA:
            state[0], values[i, v] = _ema(state[0], n, length, price)
            states[i, s] = state[0]
        elif code == _MACD:
            slow_length = int(p[1])
            values[i, v + 1] = values[i, v + 2] = math.nan
            state[0], fast = _ema(state[0], n, length, price)
            state[1], slow = _ema(state[1], n, slow_length, price)
            if n >= slow_length:
                values[i, v] = fast - slow
                state[2], signal = _ema(state[2], n - slow_length + 1, int(p[2]), fast - slow)
                values[i, v + 1] = signal
                values[i, v + 2] = fast - slow - signal
            for k in range(3):
                states[i, s + k] = state[k]
        elif code == _RSI:
            if n >= 2:
                change = price - close[i - 1]
                state[0], gain = _wilder(state[0], n - 1, length, max(change, 0.0))
                state[1], loss = _wilder(state[1], n - 1, length, max(-change, 0.0))
                values[i, v] = _rsi(gain, loss)
            states[i, s], states[i, s + 1] = state[0], state[1]
        elif code == _ATR:
            if n >= 2:
                previous = close[i - 1]
                true_range = max(high[i] - low[i], abs(high[i] - previous), abs(low[i] - previous))
                state[0], values[i, v] = _wilder(state[0], n - 1, length, true_range)
            states[i, s] = state[0]


@njit
def _advance_one(
    code: int,
    p: Any,
    high: Any,
    low: Any,
    close: Any,
    volume: Any,
    first: int,
    start: int,
    stop: int,
    scale: float,
    annual_bars: float,
    counts: Any,
    states: Any,
    s: int,
    values: Any,
    v: int,
) -> None:
    """One choice over bars start..stop-1 of the series whose first bar in the arrays is `first`."""
    length = int(p[0])
    if code == _SMA:
        _averages(close, first, start, stop, length, scale, counts, values, v)
    elif code == _BOLLINGER:
        _averages(close, first, start, stop, length, scale, counts, values, v + 1)
        _bands(close, start, stop, length, p[1], counts, values, v)
    elif code == _ROC:
        for i in range(start, stop):
            values[i, v] = 100.0 * (close[i] / close[i - length] - 1.0) if counts[i] >= length + 1 else math.nan
    elif code == _VOLATILITY:
        _volatilities(close, first, start, stop, length, annual_bars, counts, values, v)
    elif code == _VOLUME_SMA:
        _volumes(volume, start, stop, length, counts, values, v)
    else:
        state = np.zeros(3)
        if start > first:
            for k in range(min(3, states.shape[1] - s)):
                state[k] = states[start - 1, s + k]
        _recursions(code, high, low, close, start, stop, p, state, counts, states, s, values, v)


def _compiled(version: str) -> Any:
    """Numba's cache looks at this file alone; what it is closed over counts as well, and so an edit of the kernel that it calls."""

    @njit(cache=True)
    def advance_many(
        high: Any,
        low: Any,
        close: Any,
        volume: Any,
        bases: Any,
        starts: Any,
        stops: Any,
        scales: Any,
        annual_bars: Any,
        frames: Any,
        choices_of: Any,
        codes: Any,
        parameters: Any,
        state_at: Any,
        value_at: Any,
        states: Any,
        values: Any,
    ) -> None:
        if not version:
            return
        counts = states[:, 0]
        for k in range(len(bases)):
            for c in range(choices_of[frames[k]], choices_of[frames[k] + 1]):
                _advance_one(
                    codes[c],
                    parameters[c],
                    high,
                    low,
                    close,
                    volume,
                    bases[k],
                    starts[k],
                    stops[k],
                    scales[k],
                    annual_bars[k],
                    counts,
                    states,
                    state_at[c],
                    values,
                    value_at[c],
                )

    return advance_many


_advance_many = _compiled(code_version())


def advance(
    chosen: Choices,
    rows: NDArray[np.void],
    table: NDArray[np.void],
    starts: NDArray[np.int64],
    stops: NDArray[np.int64],
    states: NDArray[np.float64],
    values: NDArray[np.float64],
) -> None:
    """The chosen indicators of series (lines of an arena's table) from rows `starts` to `stops`, after the kernel has run there."""
    if not chosen:
        return
    _advance_many(
        rows["high"],
        rows["low"],
        rows["close"],
        rows["volume"],
        table["base"],
        starts,
        stops,
        table["scale"],
        table["annual_bars"],
        table["frame"],
        chosen.starts,
        chosen.codes,
        chosen.parameters,
        chosen.state_at + indicators.N_STATE,
        chosen.value_at + indicators.N_VALUES,
        states,
        values,
    )
