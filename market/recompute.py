"""After a batch has changed bars: their revisions, and the indicators of everything that follows from them."""

import numpy as np
from numpy.typing import NDArray

from market import chosen, indicators, stepping
from market.arena import Arena, Ints, spread
from market.bars import BAR, NONE, PRICES, Rows, empty_rows, same_content
from market.batches import BarChanges
from market.choices import Choices
from market.memory import Memory
from market.series import SeriesKey

Floats = NDArray[np.float64]


def collect(memory: Memory, also: tuple[Ints, Ints]) -> BarChanges:
    """Counts revisions, runs the kernel and gives all rows that have changed in anything since the batch began.

    `also` is (series, ts) of bars from which on indicators are to be computed again although no bar has changed.
    """
    arena = memory.arena
    series, before = arena.touched()
    rows = arena.base(series) + arena.find(series, before["ts"])
    revised = before["closed"] & ~same_content(before, arena.rows[rows])
    arena.rows["revision"][rows[revised]] += 1
    # A row whose flags alone have changed keeps its values, if it has any.
    asks = arena.table["has_indicators"][series] & (
        ~same_content(before, arena.rows[rows]) | np.isnan(arena.states[rows, 0])
    )
    of = np.concatenate([series[asks], also[0]])
    position = np.concatenate([rows[asks] - arena.base(series[asks]), arena.find(*also)])
    order = np.lexsort((position, of))
    computed = compute_from(memory, *_oldest(of[order], position[order]))
    # The kernel may have read older rows back: where the touched ones stand now.
    rows = arena.base(series) + arena.find(series, before["ts"])
    # As bytes: NumPy compares structures field by field, a thousand times slower.
    changed = (as_bytes(arena.rows[rows]) != as_bytes(before)).any(axis=1)
    written = np.union1d(computed, rows[changed])
    is_new = np.isin(written, rows[before["origin"] == NONE], assume_unique=True)
    return changes_at(memory, written, is_new, series[revised], before[revised])


def changes_at(memory: Memory, rows: Ints, is_new: NDArray[np.bool_], replaced_of: Ints, replaced: Rows) -> BarChanges:
    """Rows as they are now (sorted), as changes to write."""
    arena = memory.arena
    bases = arena.table["base"][: arena.count]
    occupied = np.flatnonzero(arena.table["size"][: arena.count])
    order = occupied[np.argsort(bases[occupied])]
    which = order[np.searchsorted(bases[order], rows, side="right") - 1] if len(rows) else rows
    return BarChanges(
        memory.keys, which, arena.rows[rows], arena.states[rows], arena.values[rows], is_new, replaced_of, replaced
    )


def values_at(memory: Memory, rows: Ints) -> BarChanges:
    """Stored rows (sorted) whose values are to be written again, with nothing new or replaced among them."""
    return changes_at(memory, rows, np.zeros(len(rows), bool), np.zeros(0, np.int64), memory.arena.rows[:0])


def recompute_all(memory: Memory, key: SeriesKey) -> BarChanges | None:
    """Every stored row of a series with this kernel's values: what an edit of the kernel asks for."""
    series, arena = memory.get(key), memory.arena
    memory.read_all(series)
    if not arena.table["size"][series] or not arena.table["has_indicators"][series]:
        return None
    rows = compute_from(memory, np.array([series]), np.zeros(1, np.int64))
    return values_at(memory, rows)


def compute_from(memory: Memory, series: Ints, position: Ints) -> Ints:
    """The kernel over each series from a position on, or from further back where a state is not known.

    Gives the rows whose values or state have changed.
    """
    arena = memory.arena
    if not len(series):
        return np.zeros(0, np.int64)
    position = _known_state_before(memory, series, position)
    is_short = ~arena.table["reaches_back"][series] & (position < indicators.LOOKBACK)
    for k in np.flatnonzero(is_short).tolist():
        position[k] = memory.reach_position(int(series[k]), int(position[k]))
        position[k] = _known_state_before(memory, series[k : k + 1], position[k : k + 1])[0]
    return run_kernel(arena, series, position, memory)


def run_kernel(arena: Arena, series: Ints, position: Ints, memory: Memory | None = None) -> Ints:
    """The kernels over each series from a position on, across the splits that `memory` knows.

    Gives the rows whose values or state have changed.
    """
    table = arena.table[series]
    starts, stops = table["base"] + position, table["base"] + table["size"]
    rows = spread(starts, stops - starts)
    old_states, old_values = arena.states[rows], arena.values[rows]
    over = np.zeros(len(series), bool)
    if memory is not None:
        newest_split = memory.symbols["newest_split"][table["symbol"]]
        over = stepping.crosses(arena.rows, table, starts, stops, newest_split)
        for k in np.flatnonzero(over).tolist():
            symbol = memory.names[table["symbol"][k]]
            where = int(starts[k]), int(stops[k])
            stepping.advance_over(
                arena.chosen, arena.rows, table[k : k + 1], *where, arena.states, arena.values, memory.splits, symbol
            )
    plain = ~over
    stepping.advance(arena.chosen, arena.rows, table[plain], starts[plain], stops[plain], arena.states, arena.values)
    changed = differs(old_states, arena.states[rows]) | differs(old_values, arena.values[rows])
    found: Ints = rows[changed]
    return found


def _oldest(series: Ints, position: Ints) -> tuple[Ints, Ints]:
    """The first position of each series (by series, oldest first)."""
    is_first = np.ones(len(series), bool)
    is_first[1:] = series[1:] != series[:-1]
    return series[is_first], position[is_first]


def _known_state_before(memory: Memory, series: Ints, position: Ints) -> Ints:
    """The positions moved back to after a row whose state is known: a bar that still formed was stored without one."""
    arena = memory.arena
    while True:
        position = memory.whole_from(series, position)
        unknown = position > 0
        unknown[unknown] = np.isnan(arena.states[(arena.base(series) + position)[unknown] - 1, 0])
        if not unknown.any():
            return position
        position = position - unknown


def differs(a: Floats, b: Floats) -> NDArray[np.bool_]:
    """Rows that differ in any column; NaN equals NaN."""
    equal: NDArray[np.bool_] = ((a == b) | (np.isnan(a) & np.isnan(b))).all(axis=1)
    return ~equal


def as_bytes(rows: Rows) -> NDArray[np.uint8]:
    return np.ascontiguousarray(rows).view(np.uint8).reshape(len(rows), BAR.itemsize)


def warm_up(choices: Choices = chosen.NOTHING) -> None:
    """Compiles the kernel, or loads it from its cache, before the first batch waits for it."""
    arena = Arena(choices)
    arena.add(0, 0, 100.0, 1.0, has_indicators=True)
    series, wanted = np.zeros(1, np.int64), empty_rows(1)
    for name in PRICES:
        arena.rows[name][arena.ensure(series, wanted)] = 1.0
    run_kernel(arena, series, np.zeros(1, np.int64))
