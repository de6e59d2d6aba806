"""Higher frames from lower ones: which parent bars a changed child asks for, and what they become; for all symbols at once."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from market import bars
from market.actions import in_first_shares
from market.arena import Ints, spread
from market.bars import OURS, PROVIDER_COMPLETE, Rows
from market.calendars import sessions_of
from market.frames import span
from market.memory import IS_ROLLED_INTRADAY, Memory
from market.timeframes import TIMEFRAMES
from market.widening import widen_days

LINEAGE = ("input_topic", "input_partition", "input_first", "input_last")
COPIED = (*bars.CONTENT, "ticks", "origin", "provider_ms", "event_ms", "received_ms", "final", *LINEAGE)
TIMES = ("ts", "end", "session_date", "session_open")


@dataclass(slots=True)
class Asked:
    """Bars of one frame that have changed, and the times of the parent bar that each lies in."""

    series: Ints
    ts: Ints
    parents: Rows

    def where(self, mask: NDArray[np.bool_]) -> "Asked":
        return Asked(self.series[mask], self.ts[mask], self.parents[mask])


def ask(memory: Memory, series: Ints, ts: Ints, timeframe: str) -> Asked:
    """Places the parents of child bars (unique, by series, oldest first)."""
    arena = memory.arena
    memory.reach(series, ts)  # a child that has waited for its turn may be forgotten meanwhile
    children = arena.rows[arena.base(series) + arena.find(series, ts)]
    calendars = memory.symbols["calendar"][arena.table["symbol"][series]]
    parents = bars.empty_rows(len(series))
    for number in np.unique(calendars).tolist():
        mine = calendars == number
        place = _place_intraday if TIMEFRAMES[timeframe].is_intraday else _place_in_sessions
        placed = place(children[mine], timeframe, memory.calendars[number])
        for name, values in zip(TIMES, placed, strict=True):
            parents[name][mine] = values
    return Asked(series, ts, parents)


def roll_up(memory: Memory, asked: Asked, timeframe: str, clock_ms: Ints) -> tuple[Ints, Ints]:
    """Rolls up every bar of `timeframe` that was asked for; gives (series, ts) of those that changed.

    `clock_ms` is the clock of each symbol. A provider's complete bar stands, except where our own minutes rule; it counts our
    ticks all the same.
    """
    arena = memory.arena
    order = np.lexsort((asked.parents["ts"], asked.series))
    starts, of = asked.parents["ts"][order], asked.series[order]
    chosen = order[np.concatenate([[True], (starts[1:] != starts[:-1]) | (of[1:] != of[:-1])])]
    children, placed = asked.series[chosen], asked.parents[chosen]
    memory.reach(children, np.minimum(asked.ts[chosen], placed["ts"]))
    parents = memory.siblings(children, timeframe)
    memory.reach(parents, placed["ts"])

    first, last = arena.find(children, placed["ts"]), arena.find(children, placed["end"])
    counts = last - first
    members = spread(arena.base(children) + first, counts)
    groups = np.cumsum(counts) - counts
    are_minutes = timeframe == "5m"
    of_group = np.repeat(np.arange(len(counts)), counts)
    new = bars.roll_up(_in_shares_of(memory, children, placed, members, of_group), groups, are_minutes=are_minutes)
    for name in TIMES:
        new[name] = placed[name]
    new["closed"] = new["end"] <= clock_ms[arena.table["symbol"][children]]
    new["final"] &= new["closed"]

    is_ours = minutes_rule(memory, parents, new) & (new["origin"] == OURS)
    rows = arena.ensure(parents, new)
    if timeframe == "1d":
        widen_days(memory, arena.table["symbol"][parents], new, arena.rows[rows])
    wins = (arena.rows["origin"][rows] != PROVIDER_COMPLETE) | is_ours
    changed = wins | (arena.rows["ticks"][rows] != new["ticks"])
    arena.touch(rows[changed], parents[changed])
    arena.rows["ticks"][rows] = new["ticks"]
    rows, won = rows[wins], new[wins]
    closed = arena.rows["closed"][rows] | won["closed"]
    for name in COPIED:
        arena.rows[name][rows] = won[name]
    arena.rows["closed"][rows] = closed
    arena.settle(rows, parents[wins])
    return parents[changed], new["ts"][changed]


def _in_shares_of(memory: Memory, series: Ints, parents: Rows, members: Ints, of_group: Ints) -> Rows:
    """The children; those after a split within a week or a month in the shares of its first session."""
    arena = memory.arena
    children = arena.rows[members]
    symbols = arena.table["symbol"][series]
    splits_in = children["session_date"] > parents["session_date"][of_group]
    splits_in &= memory.symbols["newest_split"][symbols][of_group] > parents["session_date"][of_group]
    for group in np.unique(of_group[splits_in]).tolist():
        mine = of_group == group
        first, last = int(parents["session_date"][group]), int(children["session_date"][mine].max())
        passed = memory.splits.between(memory.names[symbols[group]], first, last)
        children[mine] = in_first_shares(children[mine], passed, float(arena.table["scale"][series[group]]))
    return children


def minutes_rule(memory: Memory, series: Ints, rows: Rows) -> NDArray[np.bool_]:
    """Where our own minutes, if there are any, outrank a provider's bar: intraday, after the first session that has some."""
    table = memory.arena.table[series]
    is_after: NDArray[np.bool_] = rows["session_date"] > memory.symbols["first_session"][table["symbol"]]
    rules: NDArray[np.bool_] = is_after & IS_ROLLED_INTRADAY[table["frame"]]
    return rules


def _place_intraday(children: Rows, timeframe: str, calendar: str) -> tuple[Ints, Ints, Ints, Ints]:
    """Parents' times: whole frames from the session's open, the last one cut at its close."""
    length_ms = TIMEFRAMES[timeframe].length_ms
    opens = children["session_open"]
    starts = opens + (children["ts"] - opens) // length_ms * length_ms
    # The close of the session that a child itself lies in, for the frame's start may lie before a late first bar.
    close_ms = sessions_of(calendar, children["ts"]).close_ms
    end = np.minimum(starts + length_ms, np.maximum(close_ms, children["end"]))
    return starts, end, children["session_date"], opens


def _place_in_sessions(children: Rows, timeframe: str, calendar: str) -> tuple[Ints, Ints, Ints, Ints]:
    """Parents' times in whole sessions: a day, a week or a month of them."""
    days, which = np.unique(children["session_date"], return_inverse=True)
    spans = np.array([span(calendar, timeframe, day) for day in days.tolist()], np.int64)[which]
    return spans[:, 0], spans[:, 1], spans[:, 2], spans[:, 3]
