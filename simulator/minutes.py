"""The minutes of a session: a path that opens, peaks, bottoms and closes exactly as the day's bar says.

Closes of minutes are a random walk bridged from the open over the two extremes to the close and reflected at the day's high
and low, so that no minute leaves the day's range. One minute is given the high and one the low. Volume is spread so that it
adds up to the day's to the share. Rows are sessions, columns minutes: months are made at once.
"""

from dataclasses import dataclass

import numpy as np

from simulator.noise import Floats, Ints, key_of, layered, normal, uniform

# Log volatility within the day moves on scales of minutes to hours (minutes, weight).
VOLATILITY_LAYERS = ((4.0, 0.20), (25.0, 0.28), (120.0, 0.24))
# One minute in seven hundred brings news: several deviations at once.
NEWS_CHANCE = 1 / 700
NEWS_SIZE = 5.0
# The extremes of a day lie at least this share of its variance apart.
MIN_SEPARATION = 0.12


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
class SessionBars:
    """The bars to fill, one row a session. `sigma` is the deviation from open to close, in ticks."""

    open: Ints
    high: Ints
    low: Ints
    close: Ints
    volume: Ints
    sigma: Floats


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

    own, market = normal(key("path"), minute), normal(key_of(style.seed, "market", "minute"), minute)
    step = style.market_share * market + np.sqrt(1.0 - style.market_share**2) * own
    step[uniform(key("news"), minute) < NEWS_CHANCE] *= NEWS_SIZE
    walk = np.cumsum(sd * step, axis=1)

    peak, trough = extreme_minutes(day, time, minute[:, 0], key)
    close = bridged(day, walk, time, peak, trough, sd)
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


def extreme_minutes(day: SessionBars, time: Floats, first_minute: Ints, key) -> tuple[Ints, Ints]:
    """In which minute the day's high and low fall: the farther from open or close, the longer the way there."""
    position = {}
    for name, from_open, to_close in (
        ("peak", day.high - day.open, day.high - day.close),
        ("trough", day.open - day.low, day.close - day.low),
    ):
        start = (from_open + 0.02 * day.sigma) * np.exp(0.9 * normal(key(name), first_minute))
        position[name] = np.clip(start / (start + to_close + 0.02 * day.sigma), 0.01, 0.97)
    peak, trough = position["peak"], position["trough"]
    middle, gap = 0.5 * (peak + trough), peak - trough
    side = np.where(gap == 0.0, 1.0, np.sign(gap)) * 0.5 * np.maximum(np.abs(gap), MIN_SEPARATION)
    middle = np.clip(middle, MIN_SEPARATION / 2 + 0.005, 0.975 - MIN_SEPARATION / 2)
    last = time.shape[1] - 2
    peak_at = np.minimum((time < (middle + side)[:, None]).sum(axis=1), last)
    trough_at = np.minimum((time < (middle - side)[:, None]).sum(axis=1), last)
    return peak_at, np.where(trough_at == peak_at, (peak_at + 1) % (last + 1), trough_at)


def bridged(day: SessionBars, walk: Floats, time: Floats, peak: Ints, trough: Ints, sd: Floats) -> Ints:
    """The walk, led from the open past both extremes to the close and kept within the day's range."""
    everyone = np.arange(len(peak))
    first, second = np.minimum(peak, trough), np.maximum(peak, trough)
    # The minute that holds an extreme closes a little inside of it.
    inside = np.minimum(0.6 * sd, 0.25 * (day.high - day.low)[:, None])
    peak_close, trough_close = day.high - inside[everyone, peak], day.low + inside[everyone, trough]
    first_close = np.where(peak < trough, peak_close, trough_close)
    second_close = np.where(peak < trough, trough_close, peak_close)
    t1, t2 = time[everyone, first], time[everyone, second]
    gap0 = first_close - day.open - walk[everyone, first]
    gap1 = second_close - day.open - walk[everyone, second]
    gap2 = day.close - day.open - walk[:, -1]
    path = walk + day.open[:, None]
    path += (gap0 / t1)[:, None] * np.minimum(time, t1[:, None])
    path += ((gap1 - gap0) / (t2 - t1))[:, None] * np.clip(time - t1[:, None], 0.0, (t2 - t1)[:, None])
    path += ((gap2 - gap1) / (1.0 - t2))[:, None] * np.maximum(time - t2[:, None], 0.0)
    close = reflected(path, day.low[:, None].astype(np.float64), day.high[:, None].astype(np.float64))
    close[:, -1] = day.close
    return close


def reflected(path: Floats, low: Floats, high: Floats) -> Ints:
    """The path folded back at both borders: it keeps its steps and never leaves the range."""
    span = high - low
    period = np.maximum(2.0 * span, 1.0)
    folded = span - np.abs(np.mod(path - low, period) - span)
    return np.clip(np.rint(low + folded), low, high).astype(np.int64)


def trade_counts(shape: Floats, rate: float, calm: Floats, minute: Ints, key) -> Ints:
    """Trades in each minute. Three become four, because a bar with both extremes inside needs four prices."""
    expected = rate * shape * np.exp(0.7 * calm)
    silent = uniform(key("silent"), minute) < np.exp(-expected)
    counts = 1 + np.floor(expected * (0.4 + 1.2 * uniform(key("trades"), minute))).astype(np.int64)
    counts[counts == 3] = 4
    counts[silent] = 0
    return counts


def spread_volume(volume: Ints, trades: Ints, shape: Floats, calm: Floats, moved: Floats, minute: Ints, key) -> Ints:
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
