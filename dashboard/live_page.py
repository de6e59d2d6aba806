"""The page with the chart: what is chosen, and the fragment that draws it anew each second."""

import uuid
from typing import Any

import streamlit as st

from dashboard import components, formats, strips
from dashboard.database import DatabaseProblem
from dashboard.feed import BARS, MOST_BARS, Feed, Request, Snapshot
from dashboard.notices import Level, Notice, notices
from dashboard.palette import palette
from dashboard.style import AVERAGES, Style
from dashboard.wire import Series, Wire
from market.timeframes import TIMEFRAMES

WHOLE_EVERY_S = 20
"""All bars are read again so often, for corrections of older ones; between, only the newest few."""
UNCERTAIN_BARS = 3
DEFAULT_TIMEFRAME = "1m"


def show(feed: Feed, refresh_s: float) -> None:
    components.styles()
    state = st.session_state
    state.setdefault("tab", uuid.uuid4().hex[:8])
    try:
        tracked = [instrument.symbol for instrument in feed.instruments()]
    except DatabaseProblem:
        tracked = []
    symbol, timeframe, averages = _choices(tracked)
    st.fragment(_refresh, run_every=refresh_s)(feed, symbol, timeframe, averages)


def _choices(tracked: list[str]) -> tuple[str, str, tuple[int, ...]]:
    """The row of controls. Symbol and interval stand in the address, so that a view can be linked to."""
    query, state = st.query_params, st.session_state
    wanted = state.pop("wanted_symbol", None) or query.get("symbol", "").strip().upper()
    symbols = sorted({*tracked, *([wanted] if wanted else [])})
    if "symbol" not in state or (wanted and wanted != state.symbol):
        state.symbol = wanted or (symbols[0] if symbols else None)
    if "timeframe" not in state:
        asked = query.get("timeframe", DEFAULT_TIMEFRAME)
        state.timeframe = asked if asked in TIMEFRAMES else DEFAULT_TIMEFRAME
    with st.container(key="controls", horizontal=True, vertical_alignment="center"):
        symbol = st.selectbox(
            "Symbol", symbols, key="symbol", label_visibility="collapsed", width=150, on_change=_to_address
        )
        timeframe = st.segmented_control(
            "Interval",
            list(TIMEFRAMES),
            key="timeframe",
            required=True,
            label_visibility="collapsed",
            on_change=_to_address,
        )
        chosen = st.pills(
            "Moving averages", AVERAGES, key="averages", default=AVERAGES, selection_mode="multi",
            format_func=lambda length: f"SMA {length}", label_visibility="collapsed",
        )  # fmt: skip
    return symbol or "", timeframe or DEFAULT_TIMEFRAME, tuple(sorted(chosen or ()))


def _to_address() -> None:
    st.query_params["symbol"] = st.session_state.symbol
    st.query_params["timeframe"] = st.session_state.timeframe


def _refresh(feed: Feed, symbol: str, timeframe: str, averages: tuple[int, ...]) -> None:
    """One refresh. When the database does not answer, what was last seen stays, ages and all, under a sentence that says so."""
    said = st.container(key="notices")
    series = _series(symbol, timeframe)
    try:
        snapshot: Snapshot | None = _read(feed, series, symbol, timeframe)
        problems: list[Notice] = notices(snapshot) if snapshot else []
    except DatabaseProblem as problem:
        snapshot = st.session_state.get("snapshot")
        if snapshot is not None and (snapshot.symbol, snapshot.timeframe) != (symbol, timeframe):
            snapshot = None
        stands = f" What is below stood at {snapshot.now:%H:%M:%S} UTC." if snapshot else ""
        problems = [Notice(Level.ERROR, f"{problem.sentence} This page tries again by itself.{stands}")]
    with said:
        _say(problems)
    if snapshot is None:
        return
    st.session_state.snapshot = snapshot
    now_ms = int(snapshot.now.timestamp() * 1000)
    components.strip("quote", strips.quote(snapshot), now_ms, _on_symbol("quote"))
    with st.container(key="body", horizontal=True):
        with st.container(key="plot"):
            if series.rows:
                _draw(series, snapshot, averages)
        with st.container(key="rail", width=290):
            components.strip("rail_words", strips.rail(snapshot), now_ms, _on_symbol("rail_words"))


def _series(symbol: str, timeframe: str) -> Series:
    """The bars of the view that is open; another view begins anew."""
    state = st.session_state
    if state.get("view") != (symbol, timeframe):
        state.view, state.series, state.whole_at = (symbol, timeframe), Series(), None
    series: Series = state.series
    return series


def _read(feed: Feed, series: Series, symbol: str, timeframe: str) -> Snapshot:
    state = st.session_state
    want: dict[str, Any] = (state.get("chart") or {}).get("want") or {}
    bars = min(int(want["bars"]), MOST_BARS) if want.get("view") == f"{symbol} {timeframe}" else BARS
    last: Snapshot | None = state.get("snapshot")
    is_due = state.whole_at is None or last is None or (last.now - state.whole_at).total_seconds() >= WHOLE_EVERY_S
    is_more = bars != state.get("bars")
    since_ms = None
    if len(series.rows) > UNCERTAIN_BARS and not is_due and not is_more:
        since_ms = series.rows[-UNCERTAIN_BARS].ts_ms
    snapshot = feed.read(Request(symbol, timeframe, bars, since_ms))
    if since_ms is None:
        series.replace(snapshot.rows)
        state.whole_at, state.bars = snapshot.now, bars
    else:
        series.renew(since_ms, snapshot.rows)
    return snapshot


def _draw(series: Series, snapshot: Snapshot, averages: tuple[int, ...]) -> None:
    state, instrument = st.session_state, snapshot.instrument
    assert instrument is not None  # a symbol with bars has its instrument
    style = Style(
        symbol=snapshot.symbol,
        timeframe=snapshot.timeframe,
        zone=formats.zone_of(instrument.timezone),
        digits=instrument.price_precision,
        has_volume=instrument.has_volume,
        source=instrument.source,
        averages=averages,
        palette=palette(st.context.theme.type),
    )
    wire: Wire = state.setdefault("wire", Wire(state.tab))
    components.chart("chart", wire.message(series, style, (state.get("chart") or {}).get("base")))


def _say(problems: list[Notice]) -> None:
    show_as = {Level.ERROR: st.error, Level.WARNING: st.warning, Level.INFO: st.info}
    for problem in problems:
        show_as[problem.level](problem.sentence)


def _on_symbol(key: str) -> Any:
    """A click on a symbol opens it; the fragment alone cannot change the controls, so the whole page runs."""

    def opened() -> None:
        symbol = st.session_state[key].get("symbol")
        if symbol:
            st.session_state.symbol = symbol
            st.query_params["symbol"] = symbol
            st.session_state.rerun_page = True

    return opened
