"""Chosen indicators: the kernel's own bits where both have one, and other libraries' values where it has none."""

import math
from collections.abc import Callable, Sequence
from dataclasses import replace
from itertools import pairwise

import numpy as np
import pandas as pd
import pytest
import talib
from hypothesis import given
from hypothesis import strategies as st
from numpy.typing import NDArray

from market import chosen, indicators, recompute
from market.arena import Arena
from market.bars import BAR, empty_rows
from market.choices import FRAME_NUMBERS, Choices, parse
from tests.unit.market.folds import Fold, account
from tests.unit.market.test_book import Log, Plan, interleaved, keeping, logs, plans
from tests.unit.market.test_indicators import ANNUAL, SCALE, Bars, walk
from tests.unit.market.worlds import INSTRUMENTS

pytestmark = pytest.mark.unit

Floats = NDArray[np.float64]

# (kind and parameters, its values by the kernel's names)
OWN = [
    *[(f"sma = [{n}]", [f"sma_{n}"]) for n in (4, 5, 20, 50, 200)],
    *[(f"ema = [{n}]", [f"ema_{n}"]) for n in (12, 26)],
    ("rsi = [14]", ["rsi_14"]),
    ("macd = [[12, 26, 9]]", ["macd", "macd_signal", "macd_histogram"]),
    ("bollinger = [[20, 2]]", ["bb_upper", "bb_middle", "bb_lower"]),
    ("atr = [14]", ["atr_14"]),
    ("roc = [10]", ["roc_10"]),
    ("volatility = [20]", ["volatility_20"]),
    ("volume_sma = [20]", ["volume_sma_20"]),
]
EVERYTHING = """
sma = [3, 150]
ema = [9, 120]
rsi = [2, 7]
macd = [[5, 35, 5]]
bollinger = [[30, 2.5]]
atr = [7]
roc = [5]
volatility = [60]
volume_sma = [7]
"""


def computed(wanted: str, bars: Bars, cuts: Sequence[int] = ()) -> tuple[Choices, Floats, Floats]:
    """(choices, values, states) of one series of minutes, computed in calls that end at `cuts`."""
    choices = parse('["1m"]\n' + wanted)
    arena = Arena(choices)
    arena.add(0, FRAME_NUMBERS["1m"], SCALE, ANNUAL, has_indicators=True)
    rows = empty_rows(len(bars))
    rows["ts"] = np.arange(len(bars)) * 60_000
    for name in ("high", "low", "close", "volume"):
        rows[name] = getattr(bars, name)
    rows["session_date"], series, start = bars.session, np.zeros(1, np.int64), 0
    for stop in sorted({*cuts, len(bars)}):
        at = arena.ensure(np.zeros(stop - start, np.int64), rows[start:stop])
        arena.rows[at] = rows[start:stop]
        recompute.run_kernel(arena, series, np.array([start]))
        start = stop
    at = arena.slice(0)
    return choices, arena.values[at].copy(), arena.states[at].copy()


def value(wanted: str, bars: Bars, k: int = 0) -> Floats:
    return computed(wanted, bars)[1][:, indicators.N_VALUES + k]


def with_holes(bars: Bars) -> Bars:
    volume = bars.volume.copy()
    volume[[30, 140, 141]] = np.nan
    return replace(bars, volume=volume)


@pytest.mark.parametrize(("wanted", "names"), OWN)
def test_a_choice_that_the_kernel_has_gives_its_bits(wanted: str, names: list[str]) -> None:
    _, values, _ = computed(wanted, with_holes(walk(3, 400)), cuts=(1, 130, 131, 350))
    for k, name in enumerate(names):
        ours, kernels = values[:, indicators.N_VALUES + k], values[:, indicators.VALUES.index(name)]
        assert ours.tobytes() == kernels.tobytes()
        assert not np.isnan(ours[-1])


def wilder(values: Floats, length: int) -> Floats:
    return pd.Series(values).ewm(alpha=1 / length, adjust=False).mean().to_numpy()


def band(bars: Bars, width: float) -> Floats:
    window = pd.Series(bars.close).rolling(30)
    return (window.mean() + width * window.std(ddof=0)).to_numpy()


def macd(bars: Bars) -> pd.Series:
    close = pd.Series(bars.close)
    return close.ewm(span=5, adjust=False).mean() - close.ewm(span=35, adjust=False).mean()


def macd_signal(bars: Bars) -> Floats:
    return macd(bars).ewm(span=5, adjust=False).mean().to_numpy()


def volatility(bars: Bars) -> Floats:
    return (np.log(pd.Series(bars.close)).diff().rolling(60).std(ddof=1) * math.sqrt(ANNUAL)).to_numpy()


# (kind and parameters, which of its values, another implementation, the first bar from 1 that has a value)
OTHERS: list[tuple[str, int, Callable[[Bars], Floats], int]] = [
    ("sma = [100]", 0, lambda bars: talib.SMA(bars.close, 100), 100),
    ("ema = [50]", 0, lambda bars: talib.EMA(bars.close, 50), 50),
    ("ema = [9]", 0, lambda bars: pd.Series(bars.close).ewm(span=9, adjust=False).mean().to_numpy(), 9),
    ("rsi = [7]", 0, lambda bars: talib.RSI(bars.close, 7), 8),
    ("rsi = [2]", 0, lambda bars: talib.RSI(bars.close, 2), 3),
    ("macd = [[5, 35, 5]]", 0, lambda bars: macd(bars).to_numpy(), 35),
    ("macd = [[5, 35, 5]]", 1, macd_signal, 39),
    ("macd = [[5, 35, 5]]", 2, lambda bars: macd(bars).to_numpy() - macd_signal(bars), 39),
    ("bollinger = [[30, 2.5]]", 0, lambda bars: band(bars, 2.5), 30),
    ("bollinger = [[30, 2.5]]", 1, lambda bars: band(bars, 0), 30),
    ("bollinger = [[30, 2.5]]", 2, lambda bars: band(bars, -2.5), 30),
    ("atr = [7]", 0, lambda bars: talib.ATR(bars.high, bars.low, bars.close, 7), 8),
    ("roc = [5]", 0, lambda bars: talib.ROC(bars.close, 5), 6),
    ("volatility = [60]", 0, volatility, 61),
    ("volume_sma = [50]", 0, lambda bars: talib.SMA(bars.volume, 50), 50),
]


@pytest.mark.parametrize(("wanted", "k", "other", "first"), OTHERS)
def test_other_libraries_agree_once_seeds_have_washed_out(
    wanted: str, k: int, other: Callable[[Bars], Floats], first: int
) -> None:
    bars = walk(5, 1500)
    ours, theirs = value(wanted, bars, k), other(bars)
    assert int(np.flatnonzero(~np.isnan(ours))[0]) + 1 == first
    np.testing.assert_allclose(ours[-500:], theirs[-500:], rtol=1e-9, atol=1e-9)


def test_flat_prices_are_neither_strong_nor_weak() -> None:
    flat = walk(1, 40)
    for column in (flat.high, flat.low, flat.close):
        column[:] = 5.0
    assert set(value("rsi = [7]", flat)[7:].tolist()) == {50.0}
    assert set(value("atr = [7]", flat)[7:].tolist()) == {0.0}


@given(st.builds(walk, st.integers(0, 10_000), st.integers(1, 260)), st.lists(st.integers(1, 259), max_size=8))
def test_no_cut_of_a_series_into_calls_changes_a_bit(bars: Bars, cuts: list[int]) -> None:
    _, values, states = computed(EVERYTHING, bars)
    _, cut_values, cut_states = computed(EVERYTHING, bars, [cut for cut in cuts if cut < len(bars)])
    assert cut_values.tobytes() == values.tobytes()
    assert cut_states.tobytes() == states.tobytes()


CHOICES = parse('["1m"]\nema = [3]\nrsi = [2]\n["5m"]\nmacd = [[1, 2, 2]]\nsma = [2]\n["1d"]\natr = [1]')


def run(log: Log, plan: Plan) -> Fold:
    fold, events = Fold(chosen=CHOICES), interleaved(log, plan.history_first)
    bounds = sorted({0, len(events), *(cut for cut in plan.cuts if cut < len(events))})
    for number, (a, b) in enumerate(pairwise(bounds)):
        if number in plan.restarts:
            fold.restart()
        fold.step(events[a:b], dies_before_commit=number in plan.deaths)
    return fold


def wrong_values(fold: Fold) -> str:
    """The first stored value that is not what one run over the stored bars, from the first one, gives; empty for none."""
    for key, table in fold.store.rows.items():
        if key.session != "regular":
            continue
        rows = np.array([table[ts][0] for ts in sorted(table)], BAR)
        arena, scale = Arena(CHOICES), 10.0 ** INSTRUMENTS[key.symbol].price_precision
        annual_bars = fold.book.memory.arena.table["annual_bars"][fold.book.memory.ids[key]]
        arena.add(0, FRAME_NUMBERS[key.timeframe], scale, annual_bars, has_indicators=True)
        at = arena.ensure(np.zeros(len(rows), np.int64), rows)
        arena.rows[at] = rows
        recompute.run_kernel(arena, np.zeros(1, np.int64), np.zeros(1, np.int64))
        for row, ts in zip(at, sorted(table), strict=True):
            if table[ts][2].tobytes() != arena.values[row].tobytes():
                return f"{key} at {ts}: {table[ts][2]} against {arena.values[row]}"
    return ""


@pytest.mark.slow
@given(logs(), plans, st.sampled_from([1, 256]))
def test_any_cut_interleaving_crash_and_restart_ends_in_the_same_values(log: Log, plan: Plan, kept_rows: int) -> None:
    at_once = run(log, Plan([False] * 22, [], [], []))
    with keeping(kept_rows):
        in_pieces = run(log, plan)
    assert account(at_once.store) == account(in_pieces.store)
    assert wrong_values(in_pieces) == ""


def test_an_edit_of_either_kernel_changes_the_version(monkeypatch: pytest.MonkeyPatch) -> None:
    version = chosen.code_version()
    assert version == chosen.code_version()
    for module in ("market.chosen", "market.indicators", "market.choices"):
        with monkeypatch.context() as patched:
            patched.setattr(f"{module}.__file__", __file__)
            assert chosen.code_version() != version
