"""Roll-ups that are owed: which child bars have changed since their parents were made, and whose turn it is.

A parent that is missing or closed is rolled up in the batch that changes its children, so that a driver that dies owes roll-ups of
open bars alone, and `ask_again` finds those. What only forms waits: it is rolled up once a second, the symbols in turn, for nobody
sees more, and a batch in which all symbols' frames are written is late.
"""

import math

import numpy as np
from numpy.typing import NDArray

from market.arena import NEVER_MS, Ints, spread
from market.bars import NONE, same_content
from market.closing import unsettled_children
from market.frames import PARENTS
from market.memory import FRAMES, IS_PARENTED, Memory
from market.rollup import Asked, ask, roll_up

FORMING_EVERY_MS = 1_000
# So many symbols are rolled up in one batch, or their share of a second where that is more.
SYMBOLS_AT_ONCE = 64
LINKS = tuple((child, parent) for child, parents in PARENTS.items() for parent in parents)


class Pending:
    """Owed by (child, parent) timeframes, as (series of the child, ts of the child)."""

    def __init__(self, memory: Memory) -> None:
        self.memory = memory
        self._owed: dict[tuple[str, str], list[tuple[Ints, Ints]]] = {link: [] for link in LINKS}
        self._now_ms = 0
        self._hastened: list[int] = []

    def hasten(self, symbol: int) -> None:
        """What this symbol (by number) owes is rolled up in this batch, whoever's turn it is."""
        self._hastened.append(symbol)

    def owe(self, series: Ints, ts: Ints) -> None:
        """These bars have changed: their parents ask for a roll-up. Frames that have none are left out."""
        frames = self.memory.arena.table["frame"][series]
        for frame in np.unique(frames[IS_PARENTED[frames]]).tolist():
            mine, child = frames == frame, FRAMES[frame][0]
            for parent in PARENTS[child]:
                self._owed[child, parent].append((series[mine], ts[mine]))

    def ask_again(self) -> None:
        """After a start: what forms asks for its parents, and open parents are asked for by a child."""
        arena = self.memory.arena
        waiting = np.flatnonzero(arena.table["waits_ms"][: arena.count] != NEVER_MS)
        first = arena.find(waiting, arena.table["waits_ms"][waiting])
        counts = arena.table["size"][waiting] - first
        rows, series = spread(arena.base(waiting) + first, counts), np.repeat(waiting, counts)
        is_open = ~arena.rows["closed"][rows]
        rows, series = rows[is_open], series[is_open]
        self.owe(series, arena.rows["ts"][rows])
        for children, ts in unsettled_children(self.memory, series, rows):
            self.owe(children, ts)

    def roll_up(self, clock_ms: Ints, now_ms: int) -> None:
        """Rolls up whose turn it is, frame by frame. `clock_ms` is the clock of each symbol, `now_ms` the batch's time."""
        is_due = self._turn(now_ms)
        for child, parent in LINKS:
            series, ts = unique_pairs(self._owed[child, parent])
            self._owed[child, parent] = []
            if not len(series):
                continue
            asked = ask(self.memory, series, ts, parent)
            goes = self._goes(asked, parent, is_due, clock_ms)
            if not goes.all():
                self._owed[child, parent] = [(series[~goes], ts[~goes])]
            if goes.any():
                asked = asked.where(goes)
                self.owe(*roll_up(self.memory, asked, parent, clock_ms))

    def _goes(self, asked: Asked, parent: str, is_due: NDArray[np.bool_], clock_ms: Ints) -> NDArray[np.bool_]:
        """Which roll-ups are made now."""
        arena = self.memory.arena
        symbols = arena.table["symbol"][asked.series]
        goes: NDArray[np.bool_] = is_due[symbols] | (asked.parents["end"] <= clock_ms[symbols])
        rest = np.flatnonzero(~goes)
        if len(rest):
            parents, starts = self.memory.siblings(asked.series[rest], parent), asked.parents["ts"][rest]
            self.memory.reach(parents, starts)
            position = arena.find(parents, starts)
            forms = arena.is_there(parents, position, starts)
            here = arena.base(parents)[forms] + position[forms]
            # One of which quotes alone have told is not there yet.
            forms[forms] = ~arena.rows["closed"][here] & (arena.rows["origin"][here] != NONE)
            goes[rest[~forms]] = True
        return goes

    def _turn(self, now_ms: int) -> NDArray[np.bool_]:
        """The symbols whose forming frames are rolled up in this batch: by number."""
        symbols, table = self.memory.symbols, self.memory.arena.table
        owes = np.zeros(len(symbols), bool)
        for pairs in self._owed.values():
            for series, _ in pairs:
                owes[table["symbol"][series]] = True
        elapsed_ms = min(max(now_ms - self._now_ms, 0), FORMING_EVERY_MS)
        self._now_ms = now_ms
        # A time that goes back (a broken producer's) must not make a symbol wait for it to come again.
        waited = np.flatnonzero(owes & (np.abs(now_ms - symbols["rolled_ms"]) >= FORMING_EVERY_MS))
        share = max(SYMBOLS_AT_ONCE, math.ceil(int(owes.sum()) * elapsed_ms / FORMING_EVERY_MS))
        chosen = waited[np.argsort(symbols["rolled_ms"][waited], kind="stable")][:share]
        is_due = self._corrected()
        is_due[self._hastened] = True
        self._hastened.clear()
        is_due &= owes
        is_due[chosen] = True
        symbols["rolled_ms"][is_due] = now_ms
        return is_due

    def _corrected(self) -> NDArray[np.bool_]:
        """The symbols of which a closed bar has changed in this batch: a correction reaches every higher frame at once."""
        arena = self.memory.arena
        series, before = arena.touched()
        is_closed = before["closed"]
        series, before = series[is_closed], before[is_closed]
        now = arena.rows[arena.base(series) + arena.find(series, before["ts"])]
        corrected = np.zeros(len(self.memory.symbols), bool)
        corrected[arena.table["symbol"][series[~same_content(before, now)]]] = True
        return corrected


def unique_pairs(pairs: list[tuple[Ints, Ints]]) -> tuple[Ints, Ints]:
    """(series, ts), each once, by series and then by ts."""
    if not pairs:
        return np.zeros(0, np.int64), np.zeros(0, np.int64)
    series, ts = np.concatenate([a for a, _ in pairs]), np.concatenate([b for _, b in pairs])
    order = np.lexsort((ts, series))
    series, ts = series[order], ts[order]
    is_first = np.ones(len(series), bool)
    is_first[1:] = (series[1:] != series[:-1]) | (ts[1:] != ts[:-1])
    return series[is_first], ts[is_first]
