"""The kernel against other implementations (TA-Lib, talipp, pandas) and tables worked out by hand.

Nothing here expects what the kernel itself gave: where a convention differs from TA-Lib's, the expected side is built from parts of
TA-Lib as the convention says.
"""

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np
import pandas as pd
import pytest
import talib
from hypothesis import given
from hypothesis import strategies as st
from numpy.typing import NDArray
from talipp.indicators import BB, EMA, RSI, SMA

from market import indicators
from market.indicators import EMPTY_STATE, LOOKBACK, N_STATE, N_VALUES, STATE, VALUES, advance

pytestmark = pytest.mark.unit

Floats = NDArray[np.float64]
SCALE, ANNUAL = 100.0, 252.0 * 390


@dataclass
class Bars:
    high: Floats
    low: Floats
    close: Floats
    volume: Floats
    session: NDArray[np.int64]

    def __len__(self) -> int:
        return len(self.close)

    def since(self, first: int) -> "Bars":
        return Bars(self.high[first:], self.low[first:], self.close[first:], self.volume[first:], self.session[first:])


def walk(seed: int, count: int = 320, session_bars: int = 78) -> Bars:
    """Prices at whole cents that move, stand still and jump."""
    rng = np.random.default_rng(seed)
    steps = rng.choice([-7, -1, 0, 0, 1, 7, 150, -150], count, p=[0.1, 0.25, 0.1, 0.1, 0.24, 0.1, 0.055, 0.055])
    close = (10_000 + np.cumsum(steps)).clip(100) / 100
    high = np.round(close + rng.integers(0, 9, count) / 100, 2)
    low = np.round((close - rng.integers(0, 9, count) / 100).clip(0.01), 2)
    return Bars(
        high, low, close, rng.integers(0, 5_000, count).astype(float), np.arange(count) // session_bars + 20_000
    )


def of_closes(
    closes: Sequence[float], volume: Sequence[float] | None = None, session: Sequence[int] | None = None
) -> Bars:
    """Bars that never left their close."""
    close = np.array(closes, float)
    volumes = np.ones(len(close)) if volume is None else np.array(volume, float)
    sessions = np.full(len(close), 20_000) if session is None else np.array(session)
    return Bars(close, close, close, volumes, sessions)


def kernel(bars: Bars, cuts: Sequence[int] = (), scale: float = SCALE) -> tuple[Floats, Floats]:
    """(values, states), computed in calls that end at `cuts`."""
    values, states = np.full((len(bars), N_VALUES), 777.0), np.full((len(bars), N_STATE), 777.0)
    start = 0
    for stop in sorted({*cuts, len(bars)}):
        before = states[start - 1] if start else EMPTY_STATE
        advance(
            bars.high, bars.low, bars.close, bars.volume, bars.session, start, stop, before, scale, ANNUAL, states, values
        )  # fmt: skip
        start = stop
    return values, states


def value(name: str, bars: Bars, scale: float = SCALE) -> Floats:
    return kernel(bars, scale=scale)[0][:, VALUES.index(name)]


def macd(bars: Bars) -> Floats:
    return talib.EMA(bars.close, 12) - talib.EMA(bars.close, 26)


def macd_signal(bars: Bars) -> Floats:
    line = macd(bars)
    return np.concatenate([np.full(25, np.nan), talib.EMA(line[25:], 9)])


def session_vwap(bars: Bars) -> Floats:
    typical = pd.Series((bars.high + bars.low + bars.close) / 3)
    volume, session = pd.Series(bars.volume), bars.session
    return ((typical * volume).groupby(session).cumsum() / volume.groupby(session).cumsum()).to_numpy()


def volatility(bars: Bars) -> Floats:
    returns = np.log(pd.Series(bars.close)).diff()
    return (returns.rolling(20).std(ddof=1) * math.sqrt(ANNUAL)).to_numpy()


EXPECTED: dict[str, Callable[[Bars], Floats]] = {
    **{f"sma_{n}": lambda bars, n=n: pd.Series(bars.close).rolling(n).mean().to_numpy() for n in (4, 5, 20, 50, 200)},
    "ema_12": lambda bars: talib.EMA(bars.close, 12),
    "ema_26": lambda bars: talib.EMA(bars.close, 26),
    "rsi_14": lambda bars: talib.RSI(bars.close, 14),
    "macd": macd,
    "macd_signal": macd_signal,
    "macd_histogram": lambda bars: macd(bars) - macd_signal(bars),
    "bb_upper": lambda bars: talib.BBANDS(bars.close, 20, 2, 2)[0],
    "bb_middle": lambda bars: talib.BBANDS(bars.close, 20, 2, 2)[1],
    "bb_lower": lambda bars: talib.BBANDS(bars.close, 20, 2, 2)[2],
    "atr_14": lambda bars: talib.ATR(bars.high, bars.low, bars.close, 14),
    "session_vwap": session_vwap,
    "obv": lambda bars: talib.OBV(bars.close, bars.volume),
    "volatility_20": volatility,
    "volume_sma_20": lambda bars: talib.SMA(bars.volume, 20),
    "roc_10": lambda bars: talib.ROC(bars.close, 10),
    "change": lambda bars: pd.Series(bars.close).diff().to_numpy(),
    "change_pct": lambda bars: 100 * pd.Series(bars.close).pct_change().to_numpy(),
}


def test_every_value_has_another_implementation() -> None:
    assert set(EXPECTED) == set(VALUES)


@pytest.mark.parametrize("seed", [1, 2, 3])
@pytest.mark.parametrize("name", VALUES)
def test_agrees_with_the_other_implementation(name: str, seed: int) -> None:
    bars = walk(seed)
    expected, found = EXPECTED[name](bars), value(name, bars)
    assert np.isnan(expected).tolist() == np.isnan(found).tolist()
    np.testing.assert_allclose(found, expected, rtol=1e-9, atol=2e-8)


@pytest.mark.parametrize(
    ("name", "theirs"),
    [
        ("sma_20", lambda closes: SMA(20, closes)),
        ("ema_26", lambda closes: EMA(26, closes)),
        ("rsi_14", lambda closes: RSI(14, closes)),
        ("bb_lower", lambda closes: [band and band.lb for band in BB(20, 2, closes)]),
    ],
)
def test_agrees_with_talipp_too(name: str, theirs: Callable[[list[float]], Sequence[float | None]]) -> None:
    bars = walk(4)
    expected = np.array([np.nan if number is None else number for number in theirs(bars.close.tolist())])
    np.testing.assert_allclose(value(name, bars), expected, rtol=1e-9)


# The first bar (counted from 1) that has a value.
WARM_AT = {
    "sma_4": 4, "sma_5": 5, "sma_20": 20, "sma_50": 50, "sma_200": 200, "ema_12": 12, "ema_26": 26, "rsi_14": 15, "macd": 26,
    "macd_signal": 34, "macd_histogram": 34, "bb_upper": 20, "bb_middle": 20, "bb_lower": 20, "atr_14": 15, "session_vwap": 1,
    "obv": 1, "volatility_20": 21, "volume_sma_20": 20, "roc_10": 11, "change": 2, "change_pct": 2,
}  # fmt: skip


@pytest.mark.parametrize("name", VALUES)
def test_is_missing_until_it_is_warm_and_never_after(name: str) -> None:
    bars = walk(5)
    bars.volume[:] = 10.0
    is_missing = np.isnan(value(name, bars))
    assert is_missing.tolist() == [k + 1 < WARM_AT[name] for k in range(len(bars))]


def test_rsi_of_wilders_method_as_it_is_taught() -> None:
    # The worked example of StockCharts' ChartSchool, "Relative Strength Index".
    closes = [
        44.3389, 44.0902, 44.1497, 43.6124, 44.3278, 44.8264, 45.0955, 45.4245, 45.8433, 46.0826, 45.8931, 46.0328, 45.6140,
        46.2820, 46.2820, 46.0028, 46.0328, 46.4116, 46.2222, 45.6439,
    ]  # fmt: skip
    found = value("rsi_14", of_closes(closes), scale=10_000.0)
    assert np.round(found[14:], 2).tolist() == [70.53, 66.32, 66.55, 69.41, 66.36, 57.97]


@pytest.mark.parametrize(
    ("what", "closes", "expected"),
    [
        ("flat", [5.0] * 20, 50.0),
        ("only up", [5.0 + k for k in range(20)], 100.0),
        ("only down", [50.0 - k for k in range(20)], 0.0),
        ("up once, long ago, then flat", [5.0, 6.0] + [6.0] * 18, 100.0),
        ("down once, then flat", [6.0, 5.0] + [5.0] * 18, 0.0),
    ],
)
def test_rsi_of_one_direction_is_at_its_edge_and_of_none_in_the_middle(
    what: str, closes: list[float], expected: float
) -> None:
    assert value("rsi_14", of_closes(closes))[14:].tolist() == [expected] * 6


def test_flat_prices_have_no_spread_and_no_momentum() -> None:
    values = kernel(of_closes([7.25] * 210))[0][-1]
    told = dict(zip(VALUES, values.tolist(), strict=True))
    zero = {"macd", "macd_signal", "macd_histogram", "atr_14", "volatility_20", "roc_10", "change", "change_pct"}
    assert {name for name, number in told.items() if number == 0.0} == zero
    assert {told[name] for name in told if name.startswith(("sma", "bb", "session"))} == {7.25}
    assert told["ema_12"] == told["ema_26"] == 7.25


def test_vwap_begins_anew_with_each_session() -> None:
    #   session     1            2
    #   close      10    20     40    60
    #   volume      1     3      0     2
    found = value("session_vwap", of_closes([10, 20, 40, 60], [1, 3, 0, 2], [1, 1, 2, 2]))
    assert found[:2].tolist() == [10.0, 17.5]
    assert np.isnan(found[2]), "nothing was traded in the session yet"
    assert found[3] == 60.0


def test_vwap_is_of_the_typical_price() -> None:
    bars = Bars(*(np.array([number]) for number in (12.0, 9.0, 10.5, 4.0)), session=np.array([1]))
    assert value("session_vwap", bars).tolist() == [10.5]
    assert value("obv", bars).tolist() == [4.0]


def test_bars_without_volume_are_left_out_of_what_counts_volume() -> None:
    #   close   10   11   12   11   11
    #   volume   5    -    3    2    9      OBV: 5, -, 8, 6, 6 (an unchanged price counts nothing)
    nan = math.nan
    bars = of_closes([10, 11, 12, 11, 11], [5, nan, 3, 2, 9])
    np.testing.assert_equal(value("obv", bars), [5, nan, 8, 6, 6])
    np.testing.assert_allclose(value("session_vwap", bars), [10, 10, 86 / 8, 108 / 10, 207 / 19])


def test_a_series_without_volume_has_every_price_indicator_and_none_of_volume() -> None:
    bars = walk(6)
    bars.volume[:] = np.nan
    missing = {name for name, number in zip(VALUES, kernel(bars)[0][-1].tolist(), strict=True) if math.isnan(number)}
    assert missing == {"session_vwap", "obv", "volume_sma_20"}


def test_one_missing_volume_is_missing_from_twenty_averages() -> None:
    bars = of_closes([1.0] * 60)
    bars.volume[30] = np.nan
    assert np.flatnonzero(np.isnan(value("volume_sma_20", bars))).tolist() == [*range(19), *range(30, 50)]


def test_averages_of_prices_are_exact() -> None:
    """0.1 + 0.2 + 0.3 + 0.4 is not 1.0 in floats; in cents it is."""
    found = value("sma_4", of_closes([0.1, 0.2, 0.3, 0.4] * 5))
    assert set(found[3:].tolist()) == {0.25}


def test_state_slots_are_named_and_counted() -> None:
    _, states = kernel(of_closes([10, 11, 13], [1, 2, 4], [7, 7, 8]))
    told = dict(zip(STATE, states[-1].tolist(), strict=True))
    assert told == {
        "count": 3, "ema_12": 34, "ema_26": 34, "signal": 0, "gain": 3, "loss": 0, "atr": 3, "obv": 7, "vwap_price_volume": 52,
        "vwap_volume": 4, "session_date": 8,
    }  # fmt: skip


def bits(values: Floats) -> list[bytes]:
    return [row.tobytes() for row in values]


series = st.builds(walk, st.integers(0, 10_000), st.integers(1, 260), st.sampled_from([1, 30, 10_000]))


@given(series, st.lists(st.integers(1, 260), max_size=12), st.data())
def test_no_cut_of_a_series_into_calls_changes_a_bit(bars: Bars, cuts: list[int], data: st.DataObject) -> None:
    for k in data.draw(st.lists(st.integers(0, len(bars) - 1), max_size=5)):
        bars.volume[k] = np.nan
    values, states = kernel(bars)
    cut_values, cut_states = kernel(bars, [cut for cut in cuts if cut < len(bars)])
    assert bits(cut_values) == bits(values)
    assert bits(cut_states) == bits(states)


@given(st.integers(0, 10_000), st.integers(0, 60), st.integers(0, 40))
def test_a_window_of_older_bars_and_a_state_are_all_that_a_start_in_the_middle_needs(
    seed: int, more: int, spare: int
) -> None:
    #   all bars      |-----------------------------|start ----|
    #   given                 |-- LOOKBACK, spare --|
    bars = walk(seed, LOOKBACK + spare + more + 30)
    values, states = kernel(bars)
    start = LOOKBACK + spare + more
    part = bars.since(more)
    part_values, part_states = np.zeros((len(part), N_VALUES)), np.zeros((len(part), N_STATE))
    advance(
        part.high, part.low, part.close, part.volume, part.session, start - more, len(part), states[start - 1], SCALE, ANNUAL,
        part_states, part_values,
    )  # fmt: skip
    assert bits(part_values[start - more :]) == bits(values[start:])
    assert bits(part_states[start - more :]) == bits(states[start:])


def test_a_forming_bar_is_the_same_step_with_its_state_thrown_away() -> None:
    bars = walk(8, 60)
    values, states = kernel(bars)
    forming = walk(8, 60)
    for price in (90.0, 120.0):
        forming.high[-1] = forming.low[-1] = forming.close[-1] = price
        peeked, peeked_states = kernel(forming)
        assert bits(peeked[:-1]) == bits(values[:-1])
        assert bits(peeked_states[:-1]) == bits(states[:-1])
        assert peeked[-1, VALUES.index("change")] == price - forming.close[-2]


def test_the_empty_state_cannot_be_written_to() -> None:
    with pytest.raises(ValueError, match="read-only"):
        EMPTY_STATE[0] = 1.0


def test_an_edit_of_the_kernel_changes_its_version(tmp_path: object, monkeypatch: pytest.MonkeyPatch) -> None:
    version = indicators.kernel_version()
    assert version == indicators.kernel_version()
    monkeypatch.setattr("market.indicators.__file__", __file__)
    assert indicators.kernel_version() != version
