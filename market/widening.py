"""The extremes that quotes tell of a session, joined to its daily bar.

Those of a symbol's newest session stand in its line of `Memory.symbols`, and are written with its latest price: they move with
every quote, and a daily bar is written once a second. Those of a session before stand in its daily bar.
"""

import numpy as np
from numpy.typing import NDArray

from market.arena import Ints
from market.bars import Rows, empty_rows
from market.extremes import EXTREMES, IN_DAYS, SIDES, Extremes, Words, join, of_days, widen
from market.frames import span
from market.memory import Memory


def note(memory: Memory, told: Extremes) -> list[int]:
    """Takes in a batch's words. Gives the symbols of which a closed day may change: by number, some twice.

    A daily bar that is not there yet is made, empty: the tick that brought the word makes it whole in the same batch.
    """
    if not len(told):
        return []
    symbols, words = np.array([memory.symbol(name) for name in told.symbols], np.int64), told.rows
    known = current(memory, symbols)
    is_same = words["quoted_date"] == known["quoted_date"]
    of, before, after = symbols[is_same], known[is_same], join(known[is_same], words[is_same])
    keep(memory, of, after)
    is_new = np.zeros(len(of), bool)
    for _, price, _ in SIDES:
        is_new |= before[price] != after[price]
    closed = _closed(memory, of[is_new], after[is_new])
    begins = np.append(symbols[1:] != symbols[:-1], True) & (words["quoted_date"] > known["quoted_date"])
    is_late = ~is_same & ~begins
    if not (begins.any() or is_late.any()):
        return closed
    ended = current(memory, symbols[begins])
    had_any = (ended["high_ms"] > 0) | (ended["low_ms"] > 0)
    keep(memory, symbols[begins], words[begins])
    of = np.concatenate([symbols[begins][had_any], symbols[is_late]])
    return closed + _keep_in_days(memory, of, np.concatenate([ended[had_any], words[is_late]]))


def widen_days(memory: Memory, symbols: Ints, days: Rows, kept: Rows) -> None:
    """Daily bars as they are rolled up, in place; `kept` are those that stand in memory."""
    words, newest = of_days(kept), current(memory, symbols)
    words["quoted_date"] = days["session_date"]
    is_newest = newest["quoted_date"] == days["session_date"]
    words[is_newest] = join(words[is_newest], newest[is_newest])
    widen(days, words)


def current(memory: Memory, symbols: Ints) -> Words:
    """What is known of the newest session of each symbol."""
    words = np.zeros(len(symbols), EXTREMES)
    for name in EXTREMES.names or ():
        words[name] = memory.symbols[name][symbols]
    return words


def keep(memory: Memory, symbols: Ints, words: NDArray[np.void]) -> None:
    """Words, or rows that have their fields, as what is known of each symbol's newest session."""
    for name in EXTREMES.names or ():
        memory.symbols[name][symbols] = words[name]


def _days(memory: Memory, symbols: Ints, words: Words) -> tuple[Ints, Ints, Rows, Words]:
    """(symbols, series, empty rows of the daily bars that words are of, words), by series, oldest first."""
    series = memory.series_of(symbols, "1d")
    calendars = memory.symbols["calendar"][symbols].tolist()
    days = empty_rows(len(series))
    for k, (calendar, day) in enumerate(zip(calendars, words["quoted_date"].tolist(), strict=True)):
        row = days[k]
        row["ts"], row["end"], row["session_date"], row["session_open"] = span(memory.calendars[calendar], "1d", day)
    order = np.lexsort((days["ts"], series))
    memory.reach(series[order], days["ts"][order])
    return symbols[order], series[order], days[order], words[order]


def _closed(memory: Memory, symbols: Ints, words: Words) -> list[int]:
    """The symbols of which the daily bar that words are of is closed."""
    if not len(symbols):
        return []
    symbols, series, days, _ = _days(memory, symbols, words)
    arena, position = memory.arena, memory.arena.find(series, days["ts"])
    is_closed = arena.is_there(series, position, days["ts"])
    is_closed[is_closed] = arena.rows["closed"][(arena.base(series) + position)[is_closed]]
    found: list[int] = symbols[is_closed].tolist()
    return found


def _keep_in_days(memory: Memory, symbols: Ints, words: Words) -> list[int]:
    """Joins words (no session of a symbol twice) to daily bars; gives the symbols of those that are closed."""
    arena = memory.arena
    symbols, series, days, words = _days(memory, symbols, words)
    rows = arena.ensure(series, days)
    arena.touch(rows, series)
    joined = join(of_days(arena.rows[rows]), words)
    for ms, price, _ in SIDES:
        arena.rows[IN_DAYS[ms]][rows] = joined[ms]
        arena.rows[price][rows] = np.where(joined[ms] > 0, joined[price], np.nan)
    closed: list[int] = symbols[arena.rows["closed"][rows]].tolist()
    return closed
