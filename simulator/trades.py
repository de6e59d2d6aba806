"""The trades of one minute, such that folding them gives the minute's bar, and what a throttled feed shows of them."""

from dataclasses import dataclass

import numpy as np

from simulator.noise import Floats, Ints, Keys, key_of, normal, uniform

MINUTE_MS = 60_000
# A publisher that throttles loses the last trades of a minute in this share of minutes; the next update has their volume.
STRADDLE_CHANCE = 0.04


@dataclass(frozen=True, slots=True)
class MinuteBar:
    """The bar to fill, prices in ticks, and its start in ms."""

    start_ms: int
    open: int
    high: int
    low: int
    close: int
    volume: int
    trades: int


@dataclass(frozen=True, slots=True)
class Trades:
    """Trades in order of time: prices in ticks, `volume` cumulative since the start of the minute."""

    time_ms: Ints
    price: Ints
    volume: Ints


NO_TRADES = Trades(*(np.empty(0, dtype=np.int64) for _ in range(3)))


def fill_minute(bar: MinuteBar, seed: int, symbol: str) -> Trades:
    """The trades of a minute: the first at its open, the last at its close, its high and low among them."""
    count = bar.trades
    if count == 0:
        return NO_TRADES
    # A thousand addresses a minute are more than its trades.
    address = bar.start_ms // MINUTE_MS * 1000 + np.arange(count, dtype=np.int64)

    def key(purpose: str) -> np.uint64:
        return key_of(seed, symbol, "trade", purpose)

    time_ms = bar.start_ms + np.sort((uniform(key("time"), address) * MINUTE_MS).astype(np.int64))
    price = np.full(count, bar.close, dtype=np.int64) if count == 1 else prices(bar, address, key)
    if bar.volume <= 0:
        return Trades(time_ms, price, np.zeros(count, dtype=np.int64))
    share = np.cumsum(-np.log(uniform(key("size"), address)))
    each = min(bar.volume // count, 1)
    volume = each * np.arange(1, count + 1) + np.floor((bar.volume - each * count) * share / share[-1] + 0.5).astype(
        np.int64
    )
    return Trades(time_ms, price, volume)


def prices(bar: MinuteBar, address: Ints, key: Keys) -> Ints:
    """A walk from open to close, kept in the minute's range, with its high and low put where the minute's noise says."""
    count = bar.trades
    span = bar.high - bar.low
    progress = np.arange(count) / (count - 1)
    walk = np.cumsum(normal(key("path"), address)) * (0.7 * span / np.sqrt(count))
    path = bar.open + walk - walk[0] + progress * (bar.close - bar.open - walk[-1] + walk[0])
    price = np.clip(np.rint(fold_into(path, bar.low, span)), bar.low, bar.high).astype(np.int64)
    price[0], price[-1] = bar.open, bar.close
    if count >= 4:
        inner = path[1:-1]
        peak, trough = 1 + int(np.argmax(inner)), 1 + int(np.argmin(inner))
        price[peak], price[trough if trough != peak else peak % (count - 2) + 1] = bar.high, bar.low
    return price


def fold_into(path: Floats, low: int, span: int) -> Floats:
    folded: Floats = low + span - np.abs(np.mod(path - low, max(2 * span, 1)) - span)
    return folded


def conflated(trades: Trades, start_ms: int, ticks_per_second: float, seed: int, symbol: str) -> Ints:
    """Which trades a feed publishes that sends at most about so many updates a second: the last of each of its intervals."""
    count = len(trades.time_ms)
    if count == 0:
        return np.empty(0, dtype=np.int64)
    minute = start_ms // MINUTE_MS
    intervals = int(60 * ticks_per_second * 1.2) + 2
    address = minute * 10_000 + np.arange(intervals, dtype=np.int64)
    lengths_ms = (0.5 + uniform(key_of(seed, symbol, "feed", "interval"), address)) * 1000.0 / ticks_per_second
    interval = np.searchsorted(start_ms + np.cumsum(lengths_ms), trades.time_ms)
    last_of_interval = np.append(interval[1:] != interval[:-1], True)
    straddles = uniform(key_of(seed, symbol, "feed", "straddle"), np.array([minute]))[0] < STRADDLE_CHANCE
    if straddles and count > 1:
        last_of_interval[-1] = False
    return np.flatnonzero(last_of_interval)
