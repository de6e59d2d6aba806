"""Ticks to partial minute bars: one pass by compiled code, each tick into the bar of its symbol, session and minute."""

import numpy as np
from numba import njit
from numpy.typing import NDArray

from market.timeframes import MINUTE_MS

Columns = dict[str, NDArray[np.generic]]

GIVEN = (
    "code", "is_ext", "event_ms", "fetched_ms", "day_volume", "offset",
    "price", "day_high", "day_low", "previous_close",
)  # fmt: skip
WHOLE = (
    "code", "is_ext", "ts", "records", "first_offset", "last_offset", "first_ms", "first_volume", "last_ms", "last_volume",
    "day_volume", "received_ms", "before_ms", "before_volume", "high_ms", "low_ms",
)  # fmt: skip
PRICES = (
    "open", "high", "low", "close", "day_high", "day_low", "previous_close", "before_price", "quoted_high", "quoted_low",
)  # fmt: skip
_GOLDEN = np.uint64(0x9E3779B97F4A7C15)  # Knuth's multiplicative hash: 2^64 divided by the golden ratio


def fold(ticks: Columns) -> Columns:
    """Bars as columns, in the order in which they were met.

    First and last are by (event time, day volume, price), so that the order of the log does not matter; `before` is the tick before
    the last one (0 where there is none). The quoted high and low are each of the newest tick that told it, where the tick's own
    price lies within what it tells (0 where none did), as `market.extremes` has it.
    """
    count = len(ticks["code"])
    whole = np.empty((len(WHOLE), count), np.int64)
    prices = np.empty((len(PRICES), count), np.float64)
    slots = np.full(1 << max(3, (2 * count).bit_length()), -1, np.int32)
    bars = _fold(*(*(ticks[name] for name in GIVEN), slots, whole, prices))
    return dict(zip(WHOLE, whole[:, :bars], strict=True)) | dict(zip(PRICES, prices[:, :bars], strict=True))


@njit(cache=True)
def _fold(  # type: ignore[no-untyped-def]
    code,
    is_ext,
    event_ms,
    fetched_ms,
    day_volume,
    offset,
    price,
    day_high,
    day_low,
    previous_close,
    slots,
    whole,
    prices,
):
    mask, bars = np.uint64(len(slots) - 1), 0
    for k in range(len(code)):
        minute = event_ms[k] // MINUTE_MS * MINUTE_MS
        group = np.uint64(code[k] * 2 + is_ext[k]) ^ (np.uint64(minute) << np.uint64(20))
        at = ((group * _GOLDEN) >> np.uint64(32)) & mask
        while slots[at] >= 0:
            bar = slots[at]
            if whole[0, bar] == code[k] and whole[1, bar] == is_ext[k] and whole[2, bar] == minute:
                break
            at = (at + np.uint64(1)) & mask
        if slots[at] < 0:
            slots[at] = bar = bars
            bars += 1
            whole[0, bar], whole[1, bar], whole[2, bar], whole[3, bar] = code[k], is_ext[k], minute, 1
            whole[4, bar] = whole[5, bar] = offset[k]
            whole[6, bar] = whole[8, bar] = event_ms[k]
            whole[7, bar] = whole[9, bar] = whole[10, bar] = day_volume[k]
            whole[11, bar] = fetched_ms[k]
            prices[0, bar] = prices[1, bar] = prices[2, bar] = prices[3, bar] = price[k]
            prices[4, bar], prices[5, bar], prices[6, bar] = day_high[k], day_low[k], previous_close[k]
            whole[12, bar] = whole[13, bar] = whole[14, bar] = whole[15, bar] = 0
            prices[7, bar] = 0.0
            prices[8, bar] = prices[9, bar] = np.nan
            _quote(event_ms[k], price[k], day_high[k], day_low[k], bar, whole, prices)
            continue
        whole[3, bar] += 1
        whole[4, bar] = min(whole[4, bar], offset[k])
        whole[5, bar] = max(whole[5, bar], offset[k])
        whole[10, bar] = max(whole[10, bar], day_volume[k])
        whole[11, bar] = max(whole[11, bar], fetched_ms[k])
        prices[1, bar] = max(prices[1, bar], price[k])
        prices[2, bar] = min(prices[2, bar], price[k])
        mine = (event_ms[k], day_volume[k], price[k])
        if mine < (whole[6, bar], whole[7, bar], prices[0, bar]):
            whole[6, bar], whole[7, bar], prices[0, bar] = mine
        last = (whole[8, bar], whole[9, bar], prices[3, bar])
        if mine >= last:
            if mine > last:
                whole[12, bar], whole[13, bar], prices[7, bar] = last
            whole[8, bar], whole[9, bar], prices[3, bar] = mine
            prices[4, bar], prices[5, bar], prices[6, bar] = day_high[k], day_low[k], previous_close[k]
        elif mine > (whole[12, bar], whole[13, bar], prices[7, bar]):
            whole[12, bar], whole[13, bar], prices[7, bar] = mine
        _quote(event_ms[k], price[k], day_high[k], day_low[k], bar, whole, prices)
    return bars


@njit(cache=True)
def _quote(ms, price, high, low, bar, whole, prices):  # type: ignore[no-untyped-def]
    if price > high or price < low:
        return
    if high == high and ms >= whole[14, bar]:
        prices[8, bar] = max(prices[8, bar], high) if ms == whole[14, bar] else high
        whole[14, bar] = ms
    if low == low and ms >= whole[15, bar]:
        prices[9, bar] = min(prices[9, bar], low) if ms == whole[15, bar] else low
        whole[15, bar] = ms
