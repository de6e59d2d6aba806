"""The kernel against textbook formulas in plain Python (`textbook.py`), over series that a market does make.

Prices stand still for hours, volumes are missing or zero, sessions are cut short or hold one bar, days lie between them, prices
halve overnight and coins cost hundredths of a cent.
"""

import math
import random
from collections.abc import Callable

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from market import indicators
from tests.unit.market.textbook import Candles, every

pytestmark = pytest.mark.unit

ANNUAL = 252.0 * 78


def kernel(candles: Candles, precision: int) -> dict[str, list[float]]:
    count = len(candles)
    values, states = np.zeros((count, indicators.N_VALUES)), np.zeros((count, indicators.N_STATE))
    volume = np.array([math.nan if one is None else one for one in candles.volume])
    prices = (np.array(column) for column in (candles.high, candles.low, candles.close))
    indicators.advance(
        *prices, volume, np.array(candles.session), 0, count, indicators.EMPTY_STATE, 10.0**precision, ANNUAL, states, values
    )  # fmt: skip
    return dict(zip(indicators.VALUES, values.T.tolist(), strict=True))


def assert_as_the_textbook(candles: Candles, precision: int = 2) -> None:
    expected, found = every(candles, ANNUAL), kernel(candles, precision)
    assert set(expected) == set(found)
    for name, column in expected.items():
        assert [value is None for value in column] == [math.isnan(value) for value in found[name]], name
        wanted = np.array([math.nan if value is None else value for value in column])
        # What is left of a difference of nearly equal prices is relative to the price, not to itself.
        size = max(candles.volume_scale() if name in ("obv", "volume_sma_20") else max(candles.high), 1e-12)
        floor = 1e-12 if name in ("rsi_14", "volatility_20", "roc_10", "change_pct") else 0.0
        np.testing.assert_allclose(found[name], wanted, rtol=1e-9, atol=max(1e-12 * size, floor), err_msg=name)


def moving(seed: int, count: int, step: float, still: float, precision: int = 2, first: float = 100.0) -> Candles:
    """A walk whose bars do not move with probability `still`; one bar in seven has no volume, one in nine none traded."""
    rng = random.Random(seed)
    price, highs, lows, closes, volumes = first, [], [], [], []
    for k in range(count):
        if rng.random() >= still:
            price = max(10.0**-precision, round(price * math.exp(rng.gauss(0, step)), precision))
        spread = 0.0 if rng.random() < still else round(abs(rng.gauss(0, step)) * price, precision)
        highs.append(round(price + spread, precision))
        lows.append(max(10.0**-precision, round(price - spread, precision)))
        closes.append(price)
        volumes.append(None if k % 7 == 3 else 0.0 if k % 9 == 4 else float(rng.randrange(10_000)))
    return Candles(highs, lows, closes, volumes, [20_000 + k // 78 for k in range(count)])


def flat() -> Candles:
    return Candles([5.0] * 240, [5.0] * 240, [5.0] * 240, [10.0] * 240, [20_000 + k // 60 for k in range(240)])


def flat_then_a_jump() -> Candles:
    closes = [5.0] * 120 + [5.01] * 120
    return Candles(closes, closes, closes, [1.0] * 240, [20_000] * 240)


def doubled_overnight() -> Candles:
    """An unadjusted split: the price halves between two sessions, the volume doubles."""
    one = moving(3, 240, 0.002, 0.1)
    factor = [1.0 if k < 156 else 0.5 for k in range(240)]
    cut = [[round(p * f, 2) for p, f in zip(column, factor, strict=True)] for column in (one.high, one.low, one.close)]
    return Candles(
        cut[0],
        cut[1],
        cut[2],
        [None if v is None else v / f for v, f in zip(one.volume, factor, strict=True)],
        one.session,
    )


def sessions_of_every_length() -> Candles:
    one = moving(5, 240, 0.002, 0.3)
    rng = random.Random(5)
    session, days = 20_000, []
    while len(days) < 240:
        days += [session] * rng.choice([1, 2, 13, 78])
        session += rng.choice([1, 3])
    return Candles(one.high, one.low, one.close, one.volume, days[:240])


def without_volume() -> Candles:
    one = moving(6, 240, 0.002, 0.3)
    return Candles(one.high, one.low, one.close, [None] * 240, one.session)


def nothing_traded_until_noon() -> Candles:
    one = moving(7, 240, 0.002, 0.3)
    return Candles(one.high, one.low, one.close, [0.0 if k % 78 < 40 else 5.0 for k in range(240)], one.session)


NASTY: dict[str, tuple[Callable[[], Candles], int]] = {
    "flat": (flat, 2),
    "flat, then one jump": (flat_then_a_jump, 2),
    "an unadjusted split": (doubled_overnight, 2),
    "sessions of one bar and of many, with days between": (sessions_of_every_length, 2),
    "without volume": (without_volume, 2),
    "nothing traded until noon": (nothing_traded_until_noon, 2),
    "a price of a hundred thousand": (lambda: moving(8, 240, 0.001, 0.1, first=100_000.0), 2),
    "a price of hundredths of a cent": (lambda: moving(9, 240, 0.01, 0.1, precision=8, first=0.00012), 8),
    "jumps of a tenth": (lambda: moving(10, 240, 0.1, 0.0), 2),
}


@pytest.mark.parametrize("what", NASTY)
def test_is_what_the_textbook_says(what: str) -> None:
    make, precision = NASTY[what]
    assert_as_the_textbook(make(), precision)


@given(st.integers(0, 100_000), st.integers(1, 230), st.sampled_from([0.0005, 0.01]), st.sampled_from([0.0, 0.5, 0.95]))
def test_is_what_the_textbook_says_of_any_walk(seed: int, count: int, step: float, still: float) -> None:
    assert_as_the_textbook(moving(seed, count, step, still))
