"""The row of controls. Symbol, interval and scale of prices stand in the address, so that a view can be linked to."""

from collections.abc import Sequence

import streamlit as st

from dashboard.adjustment import DEFAULT_ADJUSTMENT, Adjustment
from dashboard.database import DatabaseProblem
from dashboard.feed import Feed, Snapshot
from dashboard.notices import Level, Notice
from dashboard.reading import View
from dashboard.style import AVERAGES
from market.timeframes import TIMEFRAMES

DEFAULT_TIMEFRAME = "1m"
MOST_CHARACTERS = 20
"""of a mistyped address are said again."""


def choices(feed: Feed) -> tuple[View, tuple[int, ...]]:
    """What to look at, and the averages. The symbol is empty where none is tracked or known."""
    state, query = st.session_state, st.query_params
    tracked = _tracked(feed)
    if state.get("symbol") is None:
        asked = query.get("symbol", "").strip().upper()
        state.symbol = asked or next(iter(tracked), None)
    if "timeframe" not in state:
        state.timeframe = _asked("timeframe", list(TIMEFRAMES), DEFAULT_TIMEFRAME)
    if "prices" not in state:
        state.prices = Adjustment(_asked("prices", list(Adjustment), DEFAULT_ADJUSTMENT))
    with st.container(key="controls", horizontal=True, vertical_alignment="center"):
        # What the address asks for can be chosen even if it is not tracked: the page then says so.
        symbols = [*tracked, *([state.symbol] if state.symbol and state.symbol not in tracked else [])]
        symbol = st.selectbox(
            "Symbol",
            symbols,
            key="symbol",
            label_visibility="collapsed",
            width=150,
            on_change=_to_address,
            placeholder="Symbol",
        )
        frames = _frames(feed, symbol or "")
        # Where no frame has bars (yet), all of them: the bar of intervals is no smaller for a mistyped symbol.
        shown = [frame for frame in TIMEFRAMES if not frames or frame in frames or frame == state.timeframe]
        timeframe = st.segmented_control(
            "Interval", shown, key="timeframe", required=True, label_visibility="collapsed", on_change=_to_address
        )
        averages = st.pills(
            "Moving averages",
            AVERAGES,
            key="averages",
            default=AVERAGES,
            selection_mode="multi",
            format_func=lambda length: f"SMA {length}",
            label_visibility="collapsed",
        )
        prices = st.selectbox(
            "Prices",
            list(Adjustment),
            key="prices",
            format_func=lambda each: each.words.capitalize(),
            label_visibility="collapsed",
            width=150,
            on_change=_to_address,
        )
    state.offered = (tracked, frames)
    view = View(symbol or "", timeframe or DEFAULT_TIMEFRAME, prices or DEFAULT_ADJUSTMENT)
    return view, tuple(sorted(averages or ()))


def is_outdated(snapshot: Snapshot) -> bool:
    """Whether there is more to choose from than the controls offer: a first start, a new symbol, the database back again."""
    tracked, frames = st.session_state.offered
    return bool(tracked != [one.symbol for one in snapshot.instruments] or frames != snapshot.timeframes)


def corrections() -> list[Notice]:
    """What the address asked for in vain, until something else is chosen."""
    return list(st.session_state.get("corrected", {}).values())


def _asked(name: str, known: Sequence[str], default: str) -> str:
    """What the address asks for, or the default, which is then said and put into the address."""
    asked = st.query_params.get(name, default)
    if asked in known:
        return asked
    noun = {"timeframe": "interval", "prices": "scale of prices"}[name]
    sentence = f"There is no {noun} {asked[:MOST_CHARACTERS]}: {default} is shown. There are {', '.join(known)}."
    st.session_state.setdefault("corrected", {})[name] = Notice(Level.WARNING, sentence)
    st.query_params[name] = default
    return default


def _tracked(feed: Feed) -> list[str]:
    try:
        return [instrument.symbol for instrument in feed.instruments()]
    except DatabaseProblem:
        return []


def _frames(feed: Feed, symbol: str) -> list[str]:
    try:
        return feed.timeframes(symbol)
    except DatabaseProblem:
        return []


def _to_address() -> None:
    st.session_state.pop("corrected", None)
    for name in ("symbol", "timeframe", "prices"):
        if st.session_state.get(name):
            st.query_params[name] = str(st.session_state[name])
