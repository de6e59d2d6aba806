"""The kernel beside other implementations: does it agree, and how fast is it?

    python -m bench.indicators --write              docs/indicators.md anew: conventions and measured agreement
    python -m bench.indicators --speed [--rounds 5] nanoseconds against TA-Lib, interleaved, medians

Speed is of the kernel's whole set (all columns and the state of each bar) against TA-Lib's functions for the same columns,
called per series; TA-Lib has no session VWAP and is not asked for one. `history` is many bars at once; `update` is one new bar for
every series, for which TA-Lib computes its functions over the last 250 bars, or by `talib.stream`, which gives the last value
alone.
"""

import argparse
import statistics
import time
from collections.abc import Callable
from importlib.metadata import version
from pathlib import Path

import numpy as np
import talib
import talib.stream
from numpy.typing import NDArray

from bench import agreement
from bench.agreement import ANNUAL, CLOSE_ENOUGH, SESSION_BARS, Bars, kernel, walk
from bench.conventions import chosen_part, described
from market import indicators

DOCUMENT = Path(__file__).parents[1] / "docs" / "indicators.md"
AGREEMENT_BARS, SEED = 10 * SESSION_BARS, 1
SYMBOLS, HISTORY_BARS, WINDOW = 500, 2_000, 250

INTRODUCTION = """\
# Indicators

Every number comes from one kernel, `market/indicators.py`, which stream, backfill and rebuild share. `C`, `H`, `L` and `V` are a
bar's close, high, low and volume; `i` counts the bars of a symbol and timeframe in regular sessions. Before its first bar with a
value an indicator is NULL. A bar without a volume is left out of what counts volume. Extended hours have bars and no indicators.
A stored value is in the shares of its bar's session, as if no split had been before it: an average of before a 4:1 split is four
times what it would be today. `split_ratio` of `v1.bars_adjusted` ([database.md](database.md#splits-and-dividends)) puts it on
today's scale.

This page is written by `python -m bench.indicators --write`.
"""
MEASURED = """\
## Agreement with other libraries

Measured on {bars:,} one-minute bars of a seeded random walk in whole cents, with TA-Lib {talib}, talipp {talipp} and pandas
{pandas}. *From bar* is the first bar from which on the two stay within a relative {close_enough:.0e} of each other; *then* is the
largest relative difference in the second half of the series. Relative is to the value, or to the indicator's median size where
that is larger, for MACD and changes cross zero.

Where *from bar* is later than the indicator's first value, the two are seeded differently, and the difference fades by a constant
factor a bar: TA-Lib begins the shorter average of its MACD later, with bar 26, so that both begin together; pandas'
`ewm(adjust=False)` starts at the first value instead of at a mean; talipp counts the first bar's high minus low among the true
ranges.
"""


def static_part() -> str:
    return f"{INTRODUCTION}\n## Conventions\n\n{described()}\n{chosen_part()}\n"


def measured_part() -> str:

    head = MEASURED.format(
        bars=AGREEMENT_BARS,
        close_enough=CLOSE_ENOUGH,
        **{name.lower().replace("-", ""): version(name) for name in ("TA-Lib", "talipp", "pandas")},
    )
    lines = ["| indicator | library | function | from bar | then |", "|---|---|---|---|---|"]
    for found in agreement.measure(walk(AGREEMENT_BARS, SEED)):
        worst = "0" if found.worst == 0 else f"{found.worst:.0e}"
        lines.append(f"| `{found.name}` | {found.library} | {found.function} | {found.bar or 'never'} | {worst} |")
    return head + "\n" + "\n".join(lines) + "\n"


def talib_set(bars: Bars) -> None:
    """Every column that TA-Lib has a function for."""
    close, volume = bars.close, bars.volume
    for length in (4, 5, 20, 50, 200):
        talib.SMA(close, length)
    for length in (12, 26):
        talib.EMA(close, length)
    talib.RSI(close, 14)
    talib.MACD(close)
    talib.BBANDS(close, 20, 2, 2)
    talib.ATR(bars.high, bars.low, close, 14)
    talib.OBV(close, volume)
    talib.STDDEV(agreement.log_returns(bars), 20)
    talib.SMA(volume, 20)
    talib.ROC(close, 10)
    talib.MOM(close, 1)
    talib.ROC(close, 1)


def talib_stream_set(bars: Bars) -> None:
    """The same for the last bar alone."""
    stream, close, volume = talib.stream, bars.close, bars.volume
    for length in (4, 5, 20, 50, 200):
        stream.SMA(close, length)
    for length in (12, 26):
        stream.EMA(close, length)
    stream.RSI(close, 14)
    stream.MACD(close)
    stream.BBANDS(close, 20, 2, 2)
    stream.ATR(bars.high, bars.low, close, 14)
    stream.OBV(close, volume)
    stream.STDDEV(agreement.log_returns(bars), 20)
    stream.SMA(volume, 20)
    stream.ROC(close, 10)
    stream.MOM(close, 1)
    stream.ROC(close, 1)


class Update:
    """One new bar for every series, as the stream does it: all in one set of arrays, with the states before the newest bars."""

    def __init__(self, series: list[Bars]) -> None:
        self.series = [tail(bars, WINDOW) for bars in series]
        names = ("high", "low", "close", "volume", "session")
        self.columns = [np.concatenate([getattr(bars, name) for bars in self.series]) for name in names]
        self.bases = np.arange(len(series)) * WINDOW
        self.states = np.zeros((len(series) * WINDOW, indicators.N_STATE))
        self.values = np.zeros((len(series) * WINDOW, indicators.N_VALUES))
        self._advance(self.bases)

    def kernel(self) -> None:
        self._advance(self.bases + WINDOW - 1)

    def _advance(self, starts: NDArray[np.int64]) -> None:
        count = len(self.series)
        scales, annual = np.full(count, 100.0), np.full(count, ANNUAL)
        stops = self.bases + WINDOW
        high, low, close, volume, session = self.columns
        indicators.advance_many(
            high, low, close, volume, session, self.bases, starts, stops, scales, annual, self.states, self.values
        )


def tail(bars: Bars, count: int) -> Bars:
    columns = (bars.open, bars.high, bars.low, bars.close, bars.volume)
    open_, high, low, close, volume = (column[-count:].copy() for column in columns)
    return Bars(open_, high, low, close, volume, bars.session[-count:].copy())


def interleaved_ns(ways: dict[str, Callable[[], None]], units: int, rounds: int) -> dict[str, float]:
    """Median nanoseconds a unit of each way, one after the other in every round."""
    took: dict[str, list[float]] = {name: [] for name in ways}
    for number in range(rounds + 1):
        for name, way in ways.items():
            began = time.perf_counter_ns()
            way()
            if number:  # the first round warms up
                took[name].append((time.perf_counter_ns() - began) / units)
    return {name: statistics.median(times) for name, times in took.items()}


def each(function: Callable[[Bars], NDArray[np.float64] | None], series: list[Bars]) -> Callable[[], None]:
    def run() -> None:
        for bars in series:
            function(bars)

    return run


def speed(rounds: int) -> None:
    series = [walk(HISTORY_BARS, seed) for seed in range(SYMBOLS)]
    history = {"kernel": each(kernel, series), "TA-Lib": each(talib_set, series)}
    update = Update(series)
    updates = {
        "kernel": update.kernel,
        "TA-Lib": each(talib_set, update.series),
        "talib.stream": each(talib_stream_set, update.series),
    }
    for what, ways, units in (
        (f"history, {SYMBOLS} × {HISTORY_BARS:,} bars, ns a bar", history, SYMBOLS * HISTORY_BARS),
        (f"update, {SYMBOLS} series, ns a new bar", updates, SYMBOLS),
    ):
        found = interleaved_ns(ways, units, rounds)
        print(what)
        for name, ns in found.items():
            print(f"  {name:<14}{ns:12.1f}{ns / found['kernel']:8.2f} × the kernel's time")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--write", action="store_true")
    parser.add_argument("--speed", action="store_true")
    parser.add_argument("--rounds", type=int, default=5)
    options = parser.parse_args()
    if options.write:
        DOCUMENT.write_text(static_part() + measured_part())
        print(f"{DOCUMENT} written")
    if options.speed:
        speed(options.rounds)
    if not (options.write or options.speed):
        parser.print_help()


if __name__ == "__main__":
    main()
