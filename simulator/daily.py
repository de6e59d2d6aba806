"""The days of an instrument: open, high, low, close and volume of every session since its listing.

Closes are a random walk with clustered volatility, fat tails and a market factor, bent so that it leads from the listing's
first price to its price on the reference day and on from there. The high and the low are drawn from the law of the
extremes of a Brownian bridge between open and close. Minutes and trades (minutes.py, trades.py) later fill in exactly these bars.
"""

from dataclasses import dataclass
from itertools import accumulate

import numpy as np
from numpy.typing import NDArray

from simulator.listings import REFERENCE_DAY, Listing
from simulator.noise import Floats, Ints, Keys, key_of, layered, normal, uniform
from simulator.sessions import Sessions
from simulator.splits import Split, split_factors

SESSIONS_A_YEAR = 252.0
MARKET_VOLATILITY = 0.15
Ticks = NDArray[np.int32]

# Log volatility moves on scales from days to years (days, weight).
VOLATILITY_LAYERS = ((3.0, 0.16), (15.0, 0.22), (70.0, 0.26), (400.0, 0.22))
# A surprise (a result, a verdict) on about three days a year moves the price by two to five deviations.
SURPRISE_CHANCE = 0.012
# How far prices stray from their long-run line (deviation of the log price), and its steepest slope after the reference day.
WANDER = 0.35
MAX_PACE = 0.08 / SESSIONS_A_YEAR
# The range of a Brownian path is hardly ever below its deviation (Feller, The asymptotic distribution of the range, 1951).
NARROWEST_RANGE, NARROW_SPREAD = 0.95, 0.3
# Of a session's variance, what falls into the night before it where the exchange closes.
NIGHT_SHARE = 0.3


@dataclass(frozen=True, slots=True)
class Days:
    """Session bars as printed, prices in ticks (32 bits). `sigma` is the deviation from open to close as a share of the price,
    `factor` the product of all splits after the day."""

    open: Ticks
    high: Ticks
    low: Ticks
    close: Ticks
    volume: Ints
    sigma: Floats
    factor: Floats


@dataclass(frozen=True, slots=True)
class DayBar:
    """One session's bar, in ticks; `previous_close` is that of the session before, adjusted for a split in between."""

    open: int
    high: int
    low: int
    close: int
    volume: int
    previous_close: float


def day_bar(days: Days, row: int) -> DayBar:
    """The bar of a session. The first one's previous close is its open."""
    previous = days.open[0] if row == 0 else days.close[row - 1] * days.factor[row] / days.factor[row - 1]
    open_, high, low, close, volume = (
        int(column[row]) for column in (days.open, days.high, days.low, days.close, days.volume)
    )
    return DayBar(open_, high, low, close, volume, float(previous))


def days_of(seed: int, listing: Listing, calendar: Sessions, first_session: int, splits: tuple[Split, ...]) -> Days:
    """All sessions of the calendar from `first_session` on, the one on which the instrument was listed."""
    day = calendar.days[first_session:]
    closes_at_night = bool(np.any(calendar.close_ms[:-1] != calendar.open_ms[1:]))

    def key(purpose: str) -> np.uint64:
        return key_of(seed, listing.symbol, "day", purpose)

    returns, surprise, total_sigma = daily_returns(seed, listing, day)
    log_close = anchored(returns, day, listing)
    previous = np.concatenate(([log_close[0] - returns[0]], log_close[:-1]))
    if closes_at_night:
        moved = log_close - previous - surprise
        night = NIGHT_SHARE * moved + np.sqrt(NIGHT_SHARE * (1 - NIGHT_SHARE)) * total_sigma * normal(key("night"), day)
        log_open = previous + night + surprise
        sigma = total_sigma * np.sqrt(1 - NIGHT_SHARE)
    else:
        log_open, sigma = previous, total_sigma

    log_high, log_low = extremes(log_open, log_close, sigma, day, key)
    factor = split_factors(day, splits)
    open_, high, low, close = (
        np.maximum(np.rint(np.exp(log) * factor / listing.tick), 1).astype(np.int32)
        for log in (log_open, log_high, log_low, log_close)
    )
    high = np.maximum(high, np.maximum(open_, close))
    low = np.minimum(low, np.minimum(open_, close))
    volume = volumes(listing, key, day, returns / total_sigma, factor)
    return Days(open_, high, low, close, volume, sigma, factor)


def extremes(log_open: Floats, log_close: Floats, sigma: Floats, day: Ints, key: Keys) -> tuple[Floats, Floats]:
    """The highest and the lowest price of each day: each by its own law, and never as near as no Brownian path would keep them."""
    middle, reach = 0.5 * (log_open + log_close), (log_close - log_open) ** 2
    up, down = (0.5 * np.sqrt(reach - 2.0 * sigma**2 * np.log(uniform(key(name), day))) for name in ("high", "low"))
    narrowest = sigma * (NARROWEST_RANGE + NARROW_SPREAD * uniform(key("range"), day))
    widen = 0.5 * np.maximum(narrowest - up - down, 0.0)
    return middle + up + widen, middle - down - widen


def daily_returns(seed: int, listing: Listing, day: Ints) -> tuple[Floats, Floats, Floats]:
    """Log returns of each day before anchoring, the surprise among them, and the day's deviation."""
    time = day.astype(np.float64)
    market_state = layered((seed, "market", "volatility"), time, VOLATILITY_LAYERS)
    own_state = layered((seed, listing.symbol, "volatility"), time, VOLATILITY_LAYERS)
    market_sigma = MARKET_VOLATILITY / np.sqrt(SESSIONS_A_YEAR) * np.exp(market_state)
    sigma = listing.volatility / np.sqrt(SESSIONS_A_YEAR) * np.exp(0.6 * market_state + 0.6 * own_state)
    shared = np.clip(listing.beta * market_sigma, -0.9 * sigma, 0.9 * sigma)
    market = normal(key_of(seed, "market", "day"), day)
    own = normal(key_of(seed, listing.symbol, "day", "return"), day)
    chance = uniform(key_of(seed, listing.symbol, "day", "surprise"), day)
    size = normal(key_of(seed, listing.symbol, "day", "surprise size"), day)
    surprised = (chance < SURPRISE_CHANCE) & (listing.kind == "EQUITY")
    surprise = np.where(surprised, sigma * (2.0 * np.sign(size) + 1.2 * size), 0.0)
    return shared * market + np.sqrt(sigma**2 - shared**2) * own + surprise, surprise, sigma


def anchored(returns: Floats, day: Ints, listing: Listing) -> Floats:
    """The log close: from the first price to the price on the reference day and on at the same pace, at most a few per cent.

    The walk is pulled back to that line slowly enough to be invisible from day to day, so that decades stay plausible.
    """
    session_sigma = listing.volatility / np.sqrt(SESSIONS_A_YEAR)
    keep = np.exp(-0.5 * (session_sigma / WANDER) ** 2)
    walk = np.fromiter(accumulate(returns.tolist(), lambda was, change: keep * was + change), dtype=np.float64)
    reference = min(max(int(np.searchsorted(day, REFERENCE_DAY)), 1), len(day) - 1)
    first, aim = np.log(listing.first_price), np.log(listing.price)
    place = np.arange(len(day)) - reference
    bend = aim - first - (walk[reference] - walk[0])
    pace = np.clip((aim - first) / reference, -MAX_PACE, MAX_PACE)
    log_close: Floats = aim + walk - walk[reference] + np.where(place <= 0, bend / reference, pace) * place
    return log_close


def volumes(listing: Listing, key: Keys, day: Ints, surprise: Floats, factor: Floats) -> Ints:
    """Shares printed each day: about the usual, more when the price moved much, in slow swells."""
    if not listing.has_volume:
        return np.zeros(len(day), dtype=np.int64)
    swell = layered((int(key("volume")),), day.astype(np.float64), ((4.0, 0.12), (30.0, 0.15), (500.0, 0.25)))
    log_volume = swell + 0.18 * normal(key("volume noise"), day) + 0.22 * np.minimum(np.abs(surprise), 4.0) - 0.2
    return np.rint(listing.day_volume * np.exp(log_volume) / factor).astype(np.int64) + 1
