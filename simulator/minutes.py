"""The minutes of a session: a path that opens, peaks, bottoms and closes exactly as the day's bar says.

Closes of minutes are a path from the open past both extremes to the close (path.py). One minute is given the high and one the
low; no other leaves the day's range. Volume is spread so that it adds up to the day's to the share. Rows are sessions, columns
minutes: months are made at once.
"""

from dataclasses import dataclass

import numpy as np

from simulator.noise import Floats, Ints, Keys, key_of, layered, normal, uniform
from simulator.path import SessionBars, closes, extreme_minutes

# Log volatility within the day moves on scales of minutes to hours (minutes, weight).
VOLATILITY_LAYERS = ((4.0, 0.20), (25.0, 0.28), (120.0, 0.24))
# One minute in seven hundred brings news: several deviations at once.
NEWS_CHANCE = 1 / 700
NEWS_SIZE = 5.0


@dataclass(frozen=True, slots=True)
class Minutes:
    """Minute bars as printed, prices in ticks; `trades` is 0 in a minute without any, which then repeats the last price."""

    open: Ints
    high: Ints
    low: Ints
    close: Ints
    volume: Ints
    trades: Ints


@dataclass(frozen=True, slots=True)
class Style:
    """How an instrument trades: its noise, its share of the market's, trades a minute, and how deep its midday lull is."""

    seed: int
    symbol: str
    market_share: float
    trades_a_minute: float
    lull: float
    has_volume: bool


def fill_minutes(day: SessionBars, minute: Ints, style: Style) -> Minutes:
    """The minutes of each session. `minute` holds, per session, the absolute number of each of its minutes."""

    def key(purpose: str) -> np.uint64:
        return key_of(style.seed, style.symbol, "minute", purpose)

    def column(values: np.ndarray) -> np.ndarray:
        return values[:, None]

    rows, count = minute.shape
    everyone = np.arange(rows)
    shape = daily_shape(count, style.lull)
    calm = layered((style.seed, style.symbol, "minute volatility"), minute.astype(np.float64), VOLATILITY_LAYERS)
    variance = shape * np.exp(2.0 * calm)
    time = np.cumsum(variance, axis=1)
    total = time[:, -1:].copy()
    time /= total
    sd = np.sqrt(variance / total) * column(day.sigma)

    market = normal(key_of(style.seed, "market", "minute"), minute)
    steps = np.stack([normal(key(purpose), minute) for purpose in ("path", "aside", "away")])
    steps[0] = style.market_share * market + np.sqrt(1.0 - style.market_share**2) * steps[0]
    steps[0][uniform(key("news"), minute) < NEWS_CHANCE] *= NEWS_SIZE

    peak, trough = extreme_minutes(day, time, minute[:, 0], key)
    walks = np.cumsum(sd * steps, axis=2)
    close = closes(day, walks, time, sd, peak, trough, normal(key("turn"), minute[:, 0]))
    trades = trade_counts(shape, style.trades_a_minute, calm, minute, key)
    for at in (0, count - 1, peak, trough):
        trades[everyone, at] = np.maximum(trades[everyone, at], 4)

    traded = trades > 0
    if not traded.all():
        last_traded = np.maximum.accumulate(np.where(traded, np.arange(count), 0), axis=1)
        close = np.take_along_axis(close, last_traded, axis=1)
    previous = np.concatenate((column(day.open), close[:, :-1]), axis=1)
    bounce = np.rint(0.15 * sd * normal(key("bounce"), minute)).astype(np.int64)
    open_ = np.clip(previous + bounce, column(day.low), column(day.high))
    open_[:, 0] = day.open
    open_ = np.where(trades == 0, previous, np.where(trades == 1, close, open_))

    reach = (close - open_).astype(np.float64) ** 2
    middle = 0.5 * (open_ + close)
    has_extremes = trades >= 4
    spread_up = 0.5 * np.sqrt(reach - 1.4 * sd**2 * np.log(uniform(key("high"), minute)))
    spread_down = 0.5 * np.sqrt(reach - 1.4 * sd**2 * np.log(uniform(key("low"), minute)))
    high, low = np.maximum(open_, close), np.minimum(open_, close)
    high = np.where(has_extremes, np.maximum(high, np.floor(middle + spread_up).astype(np.int64)), high)
    low = np.where(has_extremes, np.minimum(low, np.ceil(middle - spread_down).astype(np.int64)), low)
    high, low = np.minimum(high, column(day.high)), np.maximum(low, column(day.low))
    high[everyone, peak] = day.high
    low[everyone, trough] = day.low
    volume = (
        spread_volume(day.volume, trades, shape, calm, reach / sd**2, minute, key)
        if style.has_volume
        else np.zeros_like(trades)
    )
    return Minutes(open_, high, low, close, volume, trades)


def daily_shape(count: int, lull: float) -> Floats:
    """Activity over the session: high at the open, low at midday, high at the close. Its mean is about one."""
    u = (np.arange(count) + 0.5) / count
    morning, evening = np.exp(-u / 0.07), np.exp(-(1.0 - u) / 0.05)
    return (1.0 - lull) + lull * (2.2 * (u - 0.5) ** 2 * 4.0 + 2.4 * morning + 1.6 * evening) / 1.1


def trade_counts(shape: Floats, rate: float, calm: Floats, minute: Ints, key: Keys) -> Ints:
    """Trades in each minute. Three become four, because a bar with both extremes inside needs four prices."""
    expected = rate * shape * np.exp(0.7 * calm)
    silent = uniform(key("silent"), minute) < np.exp(-expected)
    counts = 1 + np.floor(expected * (0.4 + 1.2 * uniform(key("trades"), minute))).astype(np.int64)
    counts[counts == 3] = 4
    counts[silent] = 0
    return counts


def spread_volume(
    volume: Ints, trades: Ints, shape: Floats, calm: Floats, moved: Floats, minute: Ints, key: Keys
) -> Ints:
    """The day's volume over its minutes, exactly: more where there is more activity and more movement."""
    weight = shape * np.exp(0.8 * calm + 0.45 * normal(key("volume"), minute)) * (0.7 + 0.3 * np.minimum(moved, 9.0))
    weight[trades == 0] = 0.0
    share = np.cumsum(weight, axis=1)
    share /= share[:, -1:].copy()
    needed = np.cumsum(trades, axis=1)
    spare = np.maximum(volume - needed[:, -1], 0)
    # Every trade is at least one share; where the day has fewer shares than trades, they are spread as they come.
    cumulative = np.where((volume >= needed[:, -1])[:, None], needed, 0) + np.floor(
        share * np.where(volume >= needed[:, -1], spare, volume)[:, None] + 0.5
    ).astype(np.int64)
    return np.diff(cumulative, axis=1, prepend=0)
