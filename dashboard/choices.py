"""The row of controls. Symbol, interval and scale of prices stand in the address, so that a view can be linked to."""

import streamlit as st

from dashboard.adjustment import DEFAULT_ADJUSTMENT, Adjustment
from dashboard.database import DatabaseProblem
from dashboard.feed import Feed, Snapshot
from dashboard.reading import View
from dashboard.style import AVERAGES
from market.timeframes import TIMEFRAMES

DEFAULT_TIMEFRAME = "1m"


def choices(feed: Feed) -> tuple[View, tuple[int, ...]]:
    """What to look at, and the averages. The symbol is empty where none is tracked or known."""
    state, query = st.session_state, st.query_params
    tracked = _tracked(feed)
    if state.get("symbol") is None:
        asked = query.get("symbol", "").strip().upper()
        state.symbol = asked or next(iter(tracked), None)
    if "timeframe" not in state:
        asked = query.get("timeframe", DEFAULT_TIMEFRAME)
        state.timeframe = asked if asked in TIMEFRAMES else DEFAULT_TIMEFRAME
    if "prices" not in state:
        asked = query.get("prices", DEFAULT_ADJUSTMENT)
        state.prices = Adjustment(asked) if asked in list(Adjustment) else DEFAULT_ADJUSTMENT
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
        shown = [frame for frame in TIMEFRAMES if frame in frames or frame == state.timeframe]
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
    return tracked != [one.symbol for one in snapshot.instruments] or frames != snapshot.timeframes


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
    for name in ("symbol", "timeframe", "prices"):
        if st.session_state.get(name):
            st.query_params[name] = str(st.session_state[name])
