"""The fold: whatever the cut into batches and the interleaving of topics, the same log ends in the same bars."""

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace
from itertools import pairwise

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from market import memory
from market.timeframes import MINUTE_MS
from tests.unit.market.folds import Fold, difference
from tests.unit.market.oracles import wrong_frames, wrong_indicators, wrong_last_ticks
from tests.unit.market.worlds import FRIDAY, MONDAY, TUESDAY, BarEvent, ClockEvent, Event, TickEvent, open_ms

pytestmark = pytest.mark.unit

DAYS = (FRIDAY, MONDAY, TUESDAY)
# Minutes of a session at which frames begin, end, or have a neighbour.
MINUTES = (0, 1, 2, 4, 5, 6, 14, 15, 29, 30, 31, 59, 60, 61, 388, 389)
FRAMES = ("1m", "1m", "1m", "5m", "15m", "30m", "1h", "1d", "1w", "1mo")
prices = st.integers(9_950, 10_050).map(lambda cents: cents / 100)


@st.composite
def ticks(draw: st.DrawFn, symbol: str) -> TickEvent:
    start = open_ms(symbol, draw(st.sampled_from(DAYS))) + draw(st.sampled_from(MINUTES)) * MINUTE_MS
    session = "regular"
    if symbol == "AAPL" and draw(st.integers(0, 9)) == 0:
        session, start = "ext", start - 10 * 60 * MINUTE_MS
    ms = start + draw(st.sampled_from([0, 500, 30_000, 59_999]))
    price, beyond = draw(prices), st.sampled_from([np.nan, -0.01, 0.0, 0.25, 0.5, 1.0])
    high, low = price + draw(beyond), price - draw(beyond)
    return TickEvent(symbol, ms, price, draw(st.sampled_from([-1, 0, 100, 200, 300])), session, high, low)


@st.composite
def provider_bars(draw: st.DrawFn, symbol: str) -> BarEvent:
    day, timeframe = draw(st.sampled_from(DAYS)), draw(st.sampled_from(FRAMES))
    ts = open_ms(symbol, day) + draw(st.sampled_from(MINUTES)) * MINUTE_MS
    low, first, last, high = sorted(draw(st.tuples(*[prices] * 4)))
    volume = draw(st.sampled_from([0.0, 50.0, 51.0, float("nan")]))
    is_complete = draw(st.booleans())
    fetched_ms = ts + draw(st.sampled_from([3, 4])) * MINUTE_MS
    return BarEvent(symbol, timeframe, day, ts, (first, high, low, last, volume), fetched_ms, is_complete)


@st.composite
def clocks(draw: st.DrawFn, symbol: str) -> ClockEvent:
    ms = open_ms(symbol, draw(st.sampled_from(DAYS))) + draw(st.sampled_from([0, 61, 330, 1_801, 30_000])) * 1000
    return ClockEvent(ms, draw(st.integers(0, 1)))


@dataclass(frozen=True)
class Log:
    """Live records in the order of their partitions, history in its own, and the clock at the end of everything."""

    live: list[Event]
    history: list[Event]
    end: list[Event]


@st.composite
def logs(draw: st.DrawFn) -> Log:
    symbols = draw(st.sampled_from([("AAPL",), ("AAPL", "BTC-USD"), ("BTC-USD",)]))
    live = draw(
        st.lists(
            st.one_of([kind(name) for name in symbols for kind in (ticks, ticks, provider_bars, clocks)]), max_size=14
        )
    )
    history = draw(st.lists(st.one_of([provider_bars(name) for name in symbols]), max_size=8))
    # Past the last session's close, or a week and a month further on.
    end_ms = open_ms("AAPL", TUESDAY) + draw(st.sampled_from([30, 48, 24 * 40])) * 60 * MINUTE_MS
    return Log(live, history, [ClockEvent(end_ms, partition) for partition in (0, 1)])


@dataclass(frozen=True)
class Plan:
    """How a run goes through a log: which topic's record is next, where batches end, and before which commits it dies."""

    history_first: list[bool]
    cuts: list[int]
    deaths: list[int]
    restarts: list[int]


plans = st.builds(
    Plan,
    st.lists(st.booleans(), min_size=22, max_size=22),
    st.lists(st.integers(1, 24), max_size=8),
    st.lists(st.integers(0, 6), max_size=2),
    st.lists(st.integers(0, 6), max_size=2),
)


def interleaved(log: Log, history_first: list[bool]) -> list[Event]:
    live, history, merged = list(log.live), list(log.history), []
    for is_history in history_first:
        if live or history:
            merged.append(history.pop(0) if history and (is_history or not live) else live.pop(0))
    return merged + log.end


def run(log: Log, plan: Plan, slices: Sequence[int] = ()) -> Fold:
    """With `slices` the past is folded apart, and so many are worked off after each batch, in turn; at the end all that is left."""
    fold = Fold(divides=bool(slices))
    events = interleaved(log, plan.history_first)
    bounds = sorted({0, len(events), *(cut for cut in plan.cuts if cut < len(events))})
    for number, (a, b) in enumerate(pairwise(bounds)):
        if number in plan.restarts:
            fold.restart()
        fold.step(events[a:b], dies_before_commit=number in plan.deaths)
        if slices:
            fold.work_off(slices[number % len(slices)])
    fold.work_off()
    return fold


AT_ONCE = Plan([False] * 22, [], [], [])


@contextmanager
def keeping(rows: int) -> Iterator[None]:
    """A book with so short a memory."""
    before, memory.KEEP_ROWS = memory.KEEP_ROWS, rows
    try:
        yield
    finally:
        memory.KEEP_ROWS = before


@pytest.mark.slow
@given(logs(), plans)
def test_any_cut_interleaving_crash_and_restart_ends_in_the_same_bars(log: Log, plan: Plan) -> None:
    at_once, in_pieces = run(log, AT_ONCE).store, run(log, plan).store
    assert difference(at_once, in_pieces) == ""
    assert wrong_indicators(in_pieces) == ""
    assert wrong_frames(in_pieces, log.live + log.history) == ""
    assert wrong_last_ticks(in_pieces, log.live) == ""


@pytest.mark.slow
@given(logs(), plans)
def test_a_short_memory_reads_back_what_it_forgot(log: Log, plan: Plan) -> None:
    plan = replace(plan, deaths=[], restarts=[])
    whole = run(log, plan)
    with keeping(1):
        forgetful = run(log, plan)
    assert difference(whole.store, forgetful.store) == ""
