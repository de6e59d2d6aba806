"""Bars as rows of an array, and the one rule by which what is known of a bar is merged.

Merging is commutative and idempotent: the winner is decided by content (who says it, when it was fetched, the values), never
by arrival. Ticks need no memory: a bar keeps first, last, lowest and highest by (event time, day volume, price) and the
highest cumulative day volume, so a duplicate changes nothing but the count of ticks.
"""

from collections.abc import Iterable
from typing import Any

import numpy as np
from numpy.typing import NDArray

Rows = NDArray[np.void]

# Who a bar's prices are from, in rising precedence: a provider's row in progress, a roll-up of nothing but a provider's higher
# bars, our ticks (or, in higher frames, our minutes), a provider's complete row.
PROVIDER_PARTIAL, ROLLED_UP, OURS, PROVIDER_COMPLETE = 0, 1, 2, 3

NONE = -1  # no tick yet, no day volume known

BAR = np.dtype(
    [
        ("ts", "i8"),  # start, milliseconds since the epoch, like every `_ms`
        ("end", "i8"),
        ("session_date", "i8"),  # days since the epoch
        ("session_open", "i8"),
        ("open", "f8"),
        ("high", "f8"),
        ("low", "f8"),
        ("close", "f8"),
        ("volume", "f8"),  # NaN where the instrument has none
        ("ticks", "i8"),
        ("origin", "i8"),
        ("provider_ms", "i8"),  # fetch time of the provider's row that won; 0 where ticks did
        ("first_ms", "i8"),  # of its first and its last tick; of a day, of the ticks that told the quoted high and low
        ("first_volume", "i8"),
        ("last_ms", "i8"),
        ("last_volume", "i8"),
        ("quoted_high", "f8"),  # of a day: what the feed said beside its ticks (market.extremes), NaN if nothing
        ("quoted_low", "f8"),
        ("day_volume", "i8"),  # the highest cumulative day volume of the bar's ticks
        ("event_ms", "i8"),  # the newest event that is in the bar
        ("received_ms", "i8"),  # when the newest input was received
        ("closed", "?"),
        ("final", "?"),
        ("revision", "i8"),
        ("input_partition", "i8"),  # lineage of the last input: partition, first and last offset
        ("input_first", "i8"),
        ("input_last", "i8"),
        ("input_topic", "i8"),  # 0 events, 1 history
    ]
)
PRICES = ("open", "high", "low", "close")
CONTENT = ("open", "high", "low", "close", "volume")

# A tick-made bar counts the volume since the bar before it, unless more than this lies between their ticks: then what was
# traded meanwhile belongs to the hole and not to this bar.
HOLE_MS = 90_000
# Without a provider's word a closed bar is final after this long.
FINAL_AFTER_MS = 15 * 60_000


def empty_rows(count: int) -> Rows:
    """Rows that nothing is known of yet."""
    rows = np.zeros(count, BAR)
    rows["origin"] = NONE
    for name in ("volume", "quoted_high", "quoted_low"):
        rows[name] = np.nan
    for name in ("first_ms", "first_volume", "last_ms", "last_volume", "day_volume"):
        rows[name] = NONE
    return rows


def join(blocks: Iterable[Rows]) -> Rows:
    """Blocks of rows one after another; np.concatenate would compare their 30 fields pair by pair."""
    blocks = list(blocks)
    rows = np.empty(sum(map(len, blocks)), BAR)
    at = 0
    for block in blocks:
        rows[at : at + len(block)] = block
        at += len(block)
    return rows


def key_less(a: Rows, b: Rows, which: str, price: str) -> NDArray[np.bool_]:
    """Whether a's tick key (ms, day volume, price) is below b's."""
    ms, volume = which + "_ms", which + "_volume"
    return tuple_less(a, b, (ms, volume, price))


def merge_ticks(rows: Rows, new: Rows) -> Rows:
    """`rows` with the tick-made partial bars `new` (row by row the same bars) merged in; volumes come after, by `tick_volume`."""
    out = rows.copy()
    had = rows["ticks"] > 0
    earlier = ~had | key_less(new, rows, "first", "open")
    later = ~had | key_less(rows, new, "last", "close")
    take(out, new, earlier, ("first_ms", "first_volume"))
    take(out, new, later, ("last_ms", "last_volume"))
    out["day_volume"] = np.maximum(rows["day_volume"], new["day_volume"])
    out["ticks"] += new["ticks"]

    ours = rows["origin"] <= OURS
    fresh = ours & ~had
    take(out, new, fresh, CONTENT)
    take(out, new, ours & earlier, ("open",))
    take(out, new, ours & later, ("close",))
    out["high"] = np.where(ours & had, np.maximum(rows["high"], new["high"]), out["high"])
    out["low"] = np.where(ours & had, np.minimum(rows["low"], new["low"]), out["low"])
    out["origin"][ours] = OURS
    out["provider_ms"][ours] = 0
    for name in ("event_ms", "received_ms"):
        out[name] = np.where(fresh, new[name], np.where(ours, np.maximum(rows[name], new[name]), rows[name]))
    return out


def merge_provider(rows: Rows, new: Rows) -> Rows:
    """`rows` with the provider's rows `new` merged in: complete beats ticks beat partial, then the later fetch, then content."""
    rank = tuple_less(rows, new, ("origin", "provider_ms", *CONTENT))
    wins = (rows["origin"] == NONE) | rank
    out = rows.copy()
    take(out, new, wins, (*CONTENT, "origin", "provider_ms", "event_ms", "received_ms"))
    return out


def tick_volume(rows: Rows, before: Rows) -> NDArray[np.float64]:
    """Volume of tick-made rows from cumulative day volume; `before` is each row's predecessor in the series.

    NaN where no day volume is known. Without a predecessor in its session (`ts` 0: none at all) a row near the open counts from
    zero, and a later one from its own first tick.
    """
    known = rows["day_volume"] != NONE
    same_day = (before["ts"] > 0) & (before["session_date"] == rows["session_date"])
    continues = same_day & (before["day_volume"] != NONE) & (rows["first_ms"] - before["last_ms"] <= HOLE_MS)
    opens = ~same_day & (rows["first_ms"] - rows["session_open"] <= HOLE_MS)
    base = np.where(continues, before["day_volume"], np.where(opens, 0, rows["first_volume"]))
    return np.where(known, np.maximum(rows["day_volume"] - base, 0), np.nan)


def roll_up(children: Rows, starts: NDArray[np.int64], *, are_minutes: bool) -> Rows:
    """Higher bars of their children: group k is children[starts[k]:starts[k + 1]], oldest first, none empty.

    Gives one row a group, not closed and with the last child's times; the caller places it. It is OURS when a minute is in it.
    """
    last = np.append(starts[1:], len(children)) - 1
    rows: Rows = children[last]
    rows["open"] = children["open"][starts]
    rows["high"] = np.maximum.reduceat(children["high"], starts)
    rows["low"] = np.minimum.reduceat(children["low"], starts)
    volume, is_missing = children["volume"], np.isnan(children["volume"])
    rows["volume"] = np.add.reduceat(np.where(is_missing, 0.0, volume), starts)
    rows["volume"][np.logical_and.reduceat(is_missing, starts)] = np.nan
    rows["ticks"] = np.add.reduceat(children["ticks"], starts)
    for name in ("event_ms", "received_ms"):
        rows[name] = np.maximum.reduceat(children[name], starts)
    rows["final"] = np.logical_and.reduceat(children["final"], starts)
    has_minutes = np.logical_or.reduceat(children["origin"] == OURS, starts) | are_minutes
    rows["origin"] = np.where(has_minutes, OURS, ROLLED_UP)
    rows["provider_ms"], rows["revision"], rows["closed"] = 0, 0, False
    return rows


def same_content(a: Rows, b: Rows) -> NDArray[np.bool_]:
    """Whether prices and volumes are equal (NaN equals NaN)."""
    equal = np.ones(len(a), bool)
    for name in CONTENT:
        equal &= (a[name] == b[name]) | (np.isnan(a[name]) & np.isnan(b[name]))
    return equal


def tuple_less(a: Rows, b: Rows, names: tuple[str, ...]) -> NDArray[np.bool_]:
    """Whether a < b, compared field by field; NaN counts as below every number."""
    less = np.zeros(len(a), bool)
    equal = np.ones(len(a), bool)
    for name in names:
        left, right = ordered(a[name]), ordered(b[name])
        less |= equal & (left < right)
        equal &= left == right
    return less


def ordered(values: NDArray[Any]) -> NDArray[Any]:
    return np.where(np.isnan(values), -np.inf, values) if values.dtype.kind == "f" else values


def take(out: Rows, new: Rows, mask: NDArray[np.bool_], names: tuple[str, ...]) -> None:
    """Copies fields of `new` into `out` where `mask`."""
    for name in names:
        out[name][mask] = new[name][mask]
