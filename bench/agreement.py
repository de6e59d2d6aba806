"""The kernel beside TA-Lib, talipp and pandas: how far apart, and from which bar on the seeds no longer show."""

import math
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, NamedTuple

import numpy as np
import pandas as pd
import talib
from numpy.typing import NDArray
from talipp import indicators as talipp
from talipp.ohlcv import OHLCV

from market import indicators

Floats = NDArray[np.float64]

SESSION_BARS, ANNUAL = 390, 252.0 * 390
CLOSE_ENOUGH = 1e-9


@dataclass(frozen=True)
class Bars:
    """One series, oldest first; `session` is days since the epoch."""

    open: Floats
    high: Floats
    low: Floats
    close: Floats
    volume: Floats
    session: NDArray[np.int64]

    def ohlcv(self) -> list[OHLCV]:
        rows = zip(
            *(column.tolist() for column in (self.open, self.high, self.low, self.close, self.volume)), strict=True
        )
        return [OHLCV(*row) for row in rows]


class Agreement(NamedTuple):
    """`bar` counts from 1 and is None where the two never stay within CLOSE_ENOUGH; `worst` is the largest relative difference
    in the second half of the series, where seeds no longer show."""

    name: str
    library: str
    function: str
    bar: int | None
    worst: float


def walk(count: int, seed: int) -> Bars:
    """Minutes of a price in cents that moves by a hundredth of a per cent at a time, with bars that stand still."""
    rng = np.random.default_rng(seed)
    close = np.round(
        150 * np.exp(np.cumsum(rng.choice([0.0, 1.0], count, p=[0.1, 0.9]) * rng.normal(0, 4e-4, count))), 2
    )
    start = np.concatenate([[150.0], close[:-1]])
    high = np.round(np.maximum(start, close) + rng.integers(0, 8, count) / 100, 2)
    low = np.round(np.minimum(start, close) - rng.integers(0, 8, count) / 100, 2)
    volume = rng.integers(0, 50_000, count).astype(float)
    return Bars(start, high, low, close, volume, 20_000 + np.arange(count) // SESSION_BARS)


def kernel(bars: Bars) -> Floats:
    """All values of the kernel, columns as `indicators.VALUES`."""
    values, states = (np.empty((len(bars.close), n)) for n in (indicators.N_VALUES, indicators.N_STATE))
    indicators.advance(
        bars.high, bars.low, bars.close, bars.volume, bars.session, 0, len(bars.close), indicators.EMPTY_STATE, 100.0, ANNUAL,
        states, values,
    )  # fmt: skip
    return values


def series(found: Any, field: str = "") -> Floats:
    """talipp's output as an array; None becomes NaN."""
    picked = (getattr(one, field) if field and one is not None else one for one in found)
    return np.array([math.nan if one is None else one for one in picked])


def talipp_vwap(bars: Bars) -> Floats:
    """talipp's knows no sessions: one of it for each."""
    rows, parts = bars.ohlcv(), np.split(np.arange(len(bars.close)), np.flatnonzero(np.diff(bars.session)) + 1)
    return np.concatenate([series(talipp.VWAP([rows[k] for k in part])) for part in parts])


def wilder(values: pd.Series) -> pd.Series:
    return values.ewm(alpha=1 / 14, adjust=False).mean()


def pandas_rsi(bars: Bars) -> Floats:
    change = pd.Series(bars.close).diff().iloc[1:]
    gain, loss = wilder(change.clip(lower=0)), wilder((-change).clip(lower=0))
    return (100 * gain / (gain + loss)).reindex(range(len(bars.close))).to_numpy()


def pandas_atr(bars: Bars) -> Floats:
    high, low, previous = pd.Series(bars.high), pd.Series(bars.low), pd.Series(bars.close).shift()
    true_range = pd.concat([high - low, (high - previous).abs(), (low - previous).abs()], axis=1).max(axis=1)
    return wilder(true_range).to_numpy()


def pandas_macd(bars: Bars) -> pd.Series:
    close = pd.Series(bars.close)
    return close.ewm(span=12, adjust=False).mean() - close.ewm(span=26, adjust=False).mean()


def pandas_obv(bars: Bars) -> Floats:
    signed = np.sign(pd.Series(bars.close).diff()) * bars.volume
    signed.iloc[0] = bars.volume[0]
    return signed.cumsum().to_numpy()


def pandas_vwap(bars: Bars) -> Floats:
    typical, volume = pd.Series((bars.high + bars.low + bars.close) / 3), pd.Series(bars.volume)
    return ((typical * volume).groupby(bars.session).cumsum() / volume.groupby(bars.session).cumsum()).to_numpy()


def log_returns(bars: Bars) -> Floats:
    return np.log(bars.close[1:] / bars.close[:-1])


def talib_volatility(bars: Bars) -> Floats:
    return np.concatenate([[math.nan], talib.STDDEV(log_returns(bars), 20) * math.sqrt(20 / 19 * ANNUAL)])


def pandas_volatility(bars: Bars) -> Floats:
    return (np.log(pd.Series(bars.close)).diff().rolling(20).std() * math.sqrt(ANNUAL)).to_numpy()


Compute = Callable[[Bars], Floats]
SMAS, EMAS = (4, 5, 20, 50, 200), (12, 26)

TALIB: dict[str, tuple[str, Compute]] = {
    **{f"sma_{n}": (f"SMA({n})", lambda b, n=n: talib.SMA(b.close, n)) for n in SMAS},
    **{f"ema_{n}": (f"EMA({n})", lambda b, n=n: talib.EMA(b.close, n)) for n in EMAS},
    "rsi_14": ("RSI(14)", lambda b: talib.RSI(b.close, 14)),
    "macd": ("MACD(12, 26, 9)", lambda b: talib.MACD(b.close)[0]),
    "macd_signal": ("MACD(12, 26, 9)", lambda b: talib.MACD(b.close)[1]),
    "macd_histogram": ("MACD(12, 26, 9)", lambda b: talib.MACD(b.close)[2]),
    "bb_upper": ("BBANDS(20, 2, 2)", lambda b: talib.BBANDS(b.close, 20, 2, 2)[0]),
    "bb_middle": ("BBANDS(20, 2, 2)", lambda b: talib.BBANDS(b.close, 20, 2, 2)[1]),
    "bb_lower": ("BBANDS(20, 2, 2)", lambda b: talib.BBANDS(b.close, 20, 2, 2)[2]),
    "atr_14": ("ATR(14)", lambda b: talib.ATR(b.high, b.low, b.close, 14)),
    "obv": ("OBV", lambda b: talib.OBV(b.close, b.volume)),
    "volatility_20": ("STDDEV(20) of log returns · √(20/19 · bars a year)", talib_volatility),
    "volume_sma_20": ("SMA(20)", lambda b: talib.SMA(b.volume, 20)),
    "roc_10": ("ROC(10)", lambda b: talib.ROC(b.close, 10)),
    "change": ("MOM(1)", lambda b: talib.MOM(b.close, 1)),
    "change_pct": ("ROC(1)", lambda b: talib.ROC(b.close, 1)),
}
TALIPP: dict[str, tuple[str, Compute]] = {
    **{f"sma_{n}": (f"SMA({n})", lambda b, n=n: series(talipp.SMA(n, b.close.tolist()))) for n in SMAS},
    **{f"ema_{n}": (f"EMA({n})", lambda b, n=n: series(talipp.EMA(n, b.close.tolist()))) for n in EMAS},
    "rsi_14": ("RSI(14)", lambda b: series(talipp.RSI(14, b.close.tolist()))),
    "macd": ("MACD(12, 26, 9)", lambda b: series(talipp.MACD(12, 26, 9, b.close.tolist()), "macd")),
    "macd_signal": ("MACD(12, 26, 9)", lambda b: series(talipp.MACD(12, 26, 9, b.close.tolist()), "signal")),
    "macd_histogram": ("MACD(12, 26, 9)", lambda b: series(talipp.MACD(12, 26, 9, b.close.tolist()), "histogram")),
    "bb_upper": ("BB(20, 2)", lambda b: series(talipp.BB(20, 2, b.close.tolist()), "ub")),
    "bb_middle": ("BB(20, 2)", lambda b: series(talipp.BB(20, 2, b.close.tolist()), "cb")),
    "bb_lower": ("BB(20, 2)", lambda b: series(talipp.BB(20, 2, b.close.tolist()), "lb")),
    "atr_14": ("ATR(14)", lambda b: series(talipp.ATR(14, b.ohlcv()))),
    "session_vwap": ("VWAP, one a session", talipp_vwap),
    "obv": ("OBV", lambda b: series(talipp.OBV(b.ohlcv()))),
    "volume_sma_20": ("SMA(20)", lambda b: series(talipp.SMA(20, b.volume.tolist()))),
    "roc_10": ("ROC(10)", lambda b: series(talipp.ROC(10, b.close.tolist()))),
    "change_pct": ("ROC(1)", lambda b: series(talipp.ROC(1, b.close.tolist()))),
}
PANDAS: dict[str, tuple[str, Compute]] = {
    **{
        f"sma_{n}": (f"rolling({n}).mean()", lambda b, n=n: pd.Series(b.close).rolling(n).mean().to_numpy())
        for n in SMAS
    },
    **{
        f"ema_{n}": (
            f"ewm(span={n}, adjust=False)",
            lambda b, n=n: pd.Series(b.close).ewm(span=n, adjust=False).mean().to_numpy(),
        )
        for n in EMAS
    },
    "rsi_14": ("ewm(alpha=1/14, adjust=False) of rises and falls", pandas_rsi),
    "macd": ("difference of two ewm", lambda b: pandas_macd(b).to_numpy()),
    "macd_signal": ("ewm(span=9) of it", lambda b: pandas_macd(b).ewm(span=9, adjust=False).mean().to_numpy()),
    "macd_histogram": (
        "their difference",
        lambda b: (pandas_macd(b) - pandas_macd(b).ewm(span=9, adjust=False).mean()).to_numpy(),
    ),
    "bb_upper": ("rolling(20): mean + 2 · std(ddof=0)", lambda b: pandas_band(b, 2)),
    "bb_middle": ("rolling(20).mean()", lambda b: pandas_band(b, 0)),
    "bb_lower": ("rolling(20): mean − 2 · std(ddof=0)", lambda b: pandas_band(b, -2)),
    "atr_14": ("ewm(alpha=1/14, adjust=False) of true ranges", pandas_atr),
    "session_vwap": ("groupby(session).cumsum()", pandas_vwap),
    "obv": ("cumsum of signed volume", pandas_obv),
    "volatility_20": ("log, diff, rolling(20).std()", pandas_volatility),
    "volume_sma_20": ("rolling(20).mean()", lambda b: pd.Series(b.volume).rolling(20).mean().to_numpy()),
    "roc_10": ("pct_change(10)", lambda b: 100 * pd.Series(b.close).pct_change(10).to_numpy()),
    "change": ("diff()", lambda b: pd.Series(b.close).diff().to_numpy()),
    "change_pct": ("pct_change()", lambda b: 100 * pd.Series(b.close).pct_change().to_numpy()),
}
LIBRARIES = {"TA-Lib": TALIB, "talipp": TALIPP, "pandas": PANDAS}


def pandas_band(bars: Bars, width: float) -> Floats:
    window = pd.Series(bars.close).rolling(20)
    return (window.mean() + width * window.std(ddof=0)).to_numpy()


def agreement(ours: Floats, theirs: Floats) -> tuple[int | None, float]:
    """(the bar from which on they stay within CLOSE_ENOUGH of each other, the largest relative difference in the second half).

    Relative to the value, or to the median size of the indicator where that is larger: MACD and changes cross zero.
    """
    size = np.maximum(np.abs(theirs), np.nanmedian(np.abs(theirs)))
    apart = np.abs(ours - theirs) / size
    # A bar that one has and the other has not is as far apart as can be.
    apart[np.isnan(ours) != np.isnan(theirs)] = np.inf
    apart[np.isnan(ours) & np.isnan(theirs)] = 0.0
    far = np.flatnonzero(apart > CLOSE_ENOUGH)
    first_value = int(np.flatnonzero(~np.isnan(ours))[0])
    settled = max(first_value, int(far[-1]) + 1 if len(far) else 0)
    return settled + 1 if settled < len(ours) else None, float(apart[len(ours) // 2 :].max())


def measure(bars: Bars) -> list[Agreement]:
    """Each indicator against each library that has it."""
    values = kernel(bars)
    found = []
    for k, name in enumerate(indicators.VALUES):
        for library, functions in LIBRARIES.items():
            if name in functions:
                function, compute = functions[name]
                found.append(Agreement(name, library, function, *agreement(values[:, k], compute(bars))))
    return found
