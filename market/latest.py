"""The newest price of each symbol, and what the day looks like around it; for all symbols at once."""

from dataclasses import dataclass, field
from typing import Any

import numpy as np
from numpy.typing import NDArray

from market.arena import Ints, as_raw, lower_bound
from market.bars import PROVIDER_COMPLETE, Rows
from market.extremes import EXTREMES

# A provider's minute replaces the newest tick only when the ticks have been silent for this long.
QUIET_MS = 60_000
# A daily bar older than this is not the session before: New Year in Shanghai and Tokyo's golden week close for less.
LONGEST_CLOSURE_DAYS = 14

# The last two ticks, by (event time, day volume, price) as bars order them: what a tick changed, in whichever order they came and
# whatever a provider's minute says meanwhile. A time of 0 says that there is no such tick.
LAST_TICKS = np.dtype(
    [
        ("tick_ms", "i8"),
        ("tick_volume", "i8"),  # the day's
        ("tick_price", "f8"),
        ("before_ms", "i8"),
        ("before_volume", "i8"),
        ("before_price", "f8"),
    ]
)
TICK, BEFORE = (tuple(f"{which}_{name}" for name in ("ms", "volume", "price")) for which in ("tick", "before"))

# Floats are NaN where they are not known. A row of zeros is a symbol without a price.
LATEST = np.dtype(
    [
        ("price", "f8"),
        ("is_ext", "?"),
        ("session_date", "i8"),  # days since the epoch
        ("previous_close", "f8"),  # the regular close of the session before
        ("day_high", "f8"),  # regular hours'
        ("day_low", "f8"),
        ("day_volume", "f8"),
        ("event_ms", "i8"),
        ("received_ms", "i8"),
        *LAST_TICKS.descr,
        *EXTREMES.descr,  # market.widening keeps them
    ]
)
AROUND = np.dtype([(name, "f8") for name in ("previous_close", "day_high", "day_low", "day_volume")])


@dataclass(slots=True)
class Prices:
    """Rows of LATEST, one a symbol: what is known, or a batch's newest ticks with what their provider said beside the price."""

    symbols: list[str] = field(default_factory=list)
    rows: NDArray[np.void] = field(default_factory=lambda: np.zeros(0, LATEST))

    def __len__(self) -> int:
        return len(self.symbols)


def around(bars: Rows, base: Ints, size: Ints, session_date: Ints) -> NDArray[np.void]:
    """What our daily bars say of a session: bars[base:base + size] are a symbol's, oldest first."""
    told = np.full(len(base), np.nan, AROUND)
    index = lower_bound(bars["session_date"], base, size, session_date)
    here = index < size
    here[here] = bars["session_date"][(base + index)[here]] == session_date[here]
    today = bars[(base + index)[here]]
    told["day_high"][here], told["day_low"][here], told["day_volume"][here] = (
        today["high"],
        today["low"],
        today["volume"],
    )
    has_before = index > 0
    before = bars[(base + index)[has_before] - 1]
    is_near = session_date[has_before] - before["session_date"] <= LONGEST_CLOSURE_DAYS
    told["previous_close"][has_before] = np.where(is_near, before["close"], np.nan)
    return told


def from_ticks(known: NDArray[np.void], quotes: NDArray[np.void], days: NDArray[np.void]) -> NDArray[np.void]:
    """The rows after ticks: as they were where a newer one is known. Our own daily bars rule over what the provider says."""
    new = quotes.copy()
    new["previous_close"] = first_known(days["previous_close"], quotes["previous_close"])
    new["day_high"] = np.fmax(quotes["day_high"], days["day_high"])
    new["day_low"] = np.fmin(quotes["day_low"], days["day_low"])
    new["day_volume"] = first_known(quotes["day_volume"], days["day_volume"])
    # As bars order ticks of one millisecond: by the day's volume, and then by price.
    goes_on, falls_back = quotes["day_volume"] > known["day_volume"], quotes["day_volume"] < known["day_volume"]
    is_newer = (quotes["event_ms"] > known["event_ms"]) | (
        (quotes["event_ms"] == known["event_ms"]) & (goes_on | (~falls_back & (quotes["price"] > known["price"])))
    )
    out = pick(is_newer, new, known)
    for name, values in last_two(known, quotes).items():
        out[name] = values
    return out


def from_bars(
    known: NDArray[np.void], newest: Rows, days: NDArray[np.void], days_of_known: NDArray[np.void]
) -> NDArray[np.void]:
    """The rows after a provider's bars, of which `newest` is each symbol's last: a closed market still has a last price.

    `days` are around the newest bars, `days_of_known` around what is known. Where ticks are newer, their price stays; what is told
    around it follows the bars, which may come long after the last tick. A tick outside of the range that its minute has in the
    provider's complete row was none: after the bell nothing newer would come to take its place.
    """
    new = known.copy()  # its ticks stay what they are
    new["is_ext"] = False
    new["price"] = newest["close"]
    for name in ("session_date", "event_ms", "received_ms"):
        new[name] = newest[name]
    for name in AROUND.names or ():
        new[name] = days[name]
    stays = known.copy()
    stays["previous_close"] = first_known(days_of_known["previous_close"], known["previous_close"])
    traded = np.where(known["is_ext"], np.nan, known["price"])
    stays["day_high"] = np.fmax(first_known(days_of_known["day_high"], known["day_high"]), traded)
    stays["day_low"] = np.fmin(first_known(days_of_known["day_low"], known["day_low"]), traded)
    stays["day_volume"] = np.fmax(known["day_volume"], days_of_known["day_volume"])
    is_quiet = (known["event_ms"] == 0) | (newest["event_ms"] - known["event_ms"] > QUIET_MS)
    of_its_minute = (newest["ts"] <= known["event_ms"]) & (known["event_ms"] < newest["end"]) & ~known["is_ext"]
    is_outside = (known["price"] < newest["low"]) | (known["price"] > newest["high"])
    is_refuted = (newest["origin"] == PROVIDER_COMPLETE) & of_its_minute & is_outside
    return pick(is_quiet | is_refuted, new, stays)


def last_two(a: NDArray[np.void], b: NDArray[np.void]) -> dict[str, NDArray[Any]]:
    """The last two of the up to four ticks of each row of both, as columns; a tick that stands in both is one."""
    x, y = ([rows[name] for name in TICK] for rows in (a, b))
    is_less, is_more = less(x, y), less(y, x)
    # Of two last ticks the earlier one, and what is before either: before the later one too.
    before = [np.where(is_less, p, np.where(is_more, q, 0)) for p, q in zip(x, y, strict=True)]
    for rows in (a, b):
        other = [rows[name] for name in BEFORE]
        is_later = less(before, other)
        before = [np.where(is_later, q, p) for p, q in zip(before, other, strict=True)]
    last = [np.where(is_less, q, p) for p, q in zip(x, y, strict=True)]
    return dict(zip((*TICK, *BEFORE), (*last, *before), strict=True))


def less(a: list[NDArray[Any]], b: list[NDArray[Any]]) -> NDArray[np.bool_]:
    """Whether one tick's (time, day volume, price) is below the other's."""
    is_less: NDArray[np.bool_] = (a[0] < b[0]) | ((a[0] == b[0]) & ((a[1] < b[1]) | ((a[1] == b[1]) & (a[2] < b[2]))))
    return is_less


def last_two_of(rows: NDArray[np.void], starts: NDArray[np.int64]) -> dict[str, NDArray[Any]]:
    """The last two ticks of each group, as columns: group k is rows[starts[k]:starts[k + 1]], by last tick, none empty."""
    ends = np.append(starts[1:], len(rows))
    out = rows[ends - 1]
    for back in range(2, int((ends - starts).max(initial=0)) + 1):
        # Nearly always one row, or two where a minute ends.
        has_more = np.flatnonzero(ends - back >= starts)
        for name, values in last_two(out[has_more], rows[(ends - back)[has_more]]).items():
            out[name][has_more] = values
    return {name: out[name] for name in (*TICK, *BEFORE)}


def pick(mask: NDArray[np.bool_], a: NDArray[np.void], b: NDArray[np.void]) -> NDArray[np.void]:
    """`np.where` of rows, which would copy them field by field."""
    out = b.copy()
    as_raw(out)[mask] = as_raw(a)[mask]
    return out


def moved(known: NDArray[np.void], new: NDArray[np.void]) -> NDArray[np.bool_]:
    """Which rows differ; as bytes, for all fields at once."""
    a, b = (np.ascontiguousarray(rows).view(np.uint8).reshape(len(rows), LATEST.itemsize) for rows in (known, new))
    differs: NDArray[np.bool_] = (a != b).any(axis=1)
    return differs


def first_known(a: NDArray[np.float64], b: NDArray[np.float64]) -> NDArray[np.float64]:
    return np.where(np.isnan(a), b, a)
