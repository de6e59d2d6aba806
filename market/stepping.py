"""The kernels over bars of an arena; across a split as if it had not happened.

The defined step: when the first bar at or after an ex-date comes, the state after the bar before it and the bars of the windows are
rescaled to its shares (`market.actions`), and the kernels go on. It hangs on nothing but the bars and the splits, so that stream,
backfill and rebuild give equal bits.
"""

from itertools import pairwise

import numpy as np
from numpy.typing import NDArray

from market import chosen, indicators
from market.actions import Splits, in_later_shares, rescaled
from market.arena import Ints
from market.bars import Rows
from market.choices import Choices

Floats = NDArray[np.float64]

# Prices of before a split are no whole number of price units after it: while they are in the windows, sums count in finer ones.
# So fine that float64 still holds a price's last digit, and 200 prices fit an int64.
FINER = 1e6
FINEST = 1e10


def advance(
    choices: Choices, bars: Rows, table: NDArray[np.void], starts: Ints, stops: Ints, states: Floats, values: Floats
) -> None:
    """The kernels over series (lines of an arena's table) from rows `starts` to `stops`, in which there is no split."""
    indicators.advance_many(
        bars["high"],
        bars["low"],
        bars["close"],
        bars["volume"],
        bars["session_date"],
        table["base"],
        starts,
        stops,
        table["scale"],
        table["annual_bars"],
        states[:, : indicators.N_STATE],
        values[:, : indicators.N_VALUES],
    )
    chosen.advance(choices, bars, table, starts, stops, states, values)


def advance_over(
    choices: Choices,
    bars: Rows,
    line: NDArray[np.void],
    start: int,
    stop: int,
    states: Floats,
    values: Floats,
    splits: Splits,
    symbol: str,
) -> None:
    """The same for one series (an array of one line), with the splits of its symbol between its bars."""
    base = int(line["base"][0])
    days = bars["session_date"]
    exponents = np.concatenate([indicators.SHARE_EXPONENTS, np.full(choices.n_state, -1.0)])
    for first, last in _pieces(days, base, start, stop, splits, symbol):
        oldest = max(base, first - indicators.LOOKBACK)
        passed = splits.between(symbol, int(days[oldest]), int(days[first]))
        piece = line.copy()
        piece["base"] = 0
        if passed:
            scale = float(line["scale"][0])
            piece["scale"] = max(scale, min(scale * FINER, FINEST))
        window = slice(oldest, last)
        new_states, new_values = states[window].copy(), values[window].copy()
        if first > base:
            before = new_states[first - 1 - oldest]
            rescaled(before, exponents, splits.between(symbol, int(days[first - 1]), int(days[first])))
        advance(
            choices,
            in_later_shares(bars[window], passed),
            piece,
            np.array([first - oldest]),
            np.array([last - oldest]),
            new_states,
            new_values,
        )
        states[first:last], values[first:last] = new_states[first - oldest :], new_values[first - oldest :]


def crosses(bars: Rows, table: NDArray[np.void], starts: Ints, stops: Ints, newest_split: Ints) -> NDArray[np.bool_]:
    """Which series may have a split between the oldest bar that a window reaches and their last one."""
    oldest = np.maximum(table["base"], starts - indicators.LOOKBACK)
    is_after: NDArray[np.bool_] = stops > starts
    is_after[is_after] = newest_split[is_after] > bars["session_date"][oldest[is_after]]
    return is_after


def _pieces(days: Ints, base: int, start: int, stop: int, splits: Splits, symbol: str) -> list[tuple[int, int]]:
    """start..stop cut where a split takes effect, and where the last bar of before it has left the windows."""
    cuts = {start, stop}
    for ex_day, _ in splits.between(symbol, int(days[base]), int(days[stop - 1])):
        at = base + int(np.searchsorted(days[base:stop], ex_day))
        cuts |= {cut for cut in (at, at + indicators.LOOKBACK) if start < cut < stop}
    edges = sorted(cuts)
    return list(pairwise(edges))
