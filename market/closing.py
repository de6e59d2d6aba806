"""Bars that the clock has passed: closed, and in time final."""

import numpy as np

from market.arena import NEVER_MS, Ints, spread
from market.bars import FINAL_AFTER_MS
from market.frames import CHILD
from market.memory import FRAMES, IS_REGULAR, Memory


def close(memory: Memory, clock_ms: Ints) -> tuple[Ints, Ints]:
    """Closes every bar that its partition's clock has passed, and makes final what nobody will confirm any more.

    `clock_ms` is the clock of each symbol. Gives (series, row) of what changed, by series, oldest first.
    """
    arena = memory.arena
    table = arena.table[: arena.count]
    clock_ms = clock_ms[table["symbol"]]
    series = np.flatnonzero(table["due_ms"] <= clock_ms)
    first = arena.find(series, table["waits_ms"][series])
    counts = table["size"][series] - first
    rows, of = spread(arena.base(series) + first, counts), np.repeat(series, counts)
    waits = ~arena.rows["final"][rows]
    rows, of = rows[waits], of[waits]
    end, was_closed = arena.rows["end"][rows], arena.rows["closed"][rows]
    closed = was_closed | (end <= clock_ms[of])
    final = end + FINAL_AFTER_MS <= clock_ms[of]
    changed = (closed != was_closed) | final
    arena.touch(rows[changed], of[changed])
    arena.rows["closed"][rows] = closed
    arena.rows["final"][rows] = final
    arena.table["due_ms"][series] = arena.table["waits_ms"][series] = NEVER_MS
    arena.settle(rows, of)
    return of[changed], rows[changed]


def unsettled_children(memory: Memory, series: Ints, rows: Ints) -> list[tuple[Ints, Ints]]:
    """(series, ts) of the first bar in each of `rows`, where it is not final, by timeframe.

    A bar that closes may be final at once, when all that is in it was confirmed before: its roll-up tells. Without a first child
    that waits there is another one, or the bar is final already.
    """
    arena = memory.arena
    frames, found = arena.table["frame"][series], []
    told = arena.rows[rows]  # as they are before a read of older children moves them
    for frame in np.unique(frames[IS_REGULAR[frames]]).tolist():
        timeframe = FRAMES[frame][0]
        if timeframe not in CHILD:
            continue
        of, parents = series[frames == frame], told[frames == frame]
        children = memory.siblings(of, CHILD[timeframe])
        memory.reach(children, parents["ts"])
        first, after = arena.find(children, parents["ts"]), arena.find(children, parents["end"])
        has_any = (first < after) & ~parents["final"]
        children, first = children[has_any], first[has_any]
        found.append((children, arena.rows["ts"][arena.base(children) + first]))
    return found
