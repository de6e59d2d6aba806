"""The page with the chart: what is chosen, and the fragment that draws it anew each second."""

import re
import uuid
from collections.abc import Callable

import streamlit as st

from dashboard import components, formats, reading
from dashboard.choices import choices, is_outdated
from dashboard.database import DatabaseProblem
from dashboard.feed import Feed, Snapshot
from dashboard.notices import Level, Notice, notices
from dashboard.palette import palette
from dashboard.quote import quote, tab_title
from dashboard.rail import rail
from dashboard.reading import View
from dashboard.style import Style
from dashboard.wire import Series, Wire

MARKDOWN = re.compile(r"[\\`*_\[\]<>$~#|]")


def show(feed: Feed, refresh_s: float) -> None:
    """The controls once, and below them all that lives."""
    components.styles()
    st.session_state.setdefault("tab", uuid.uuid4().hex[:8])
    view, averages = choices(feed)
    st.fragment(_refresh, run_every=refresh_s)(feed, view, averages)


def _refresh(feed: Feed, view: View, averages: tuple[int, ...]) -> None:
    """One refresh. When the database does not answer, what was last seen stays, under a sentence that says so."""
    state = st.session_state
    said = st.container(key="notices")
    series = reading.series(state, view)
    answer: Snapshot | DatabaseProblem
    try:
        answer = reading.read(state, feed, series, view, components.chart_state("chart").get("want"))
    except DatabaseProblem as problem:
        answer = problem
    snapshot = answer if isinstance(answer, Snapshot) else reading.last_of(state, view)
    if (isinstance(answer, Snapshot) and is_outdated(answer)) or state.pop("symbol_opened", False):
        st.rerun()
    with said:
        for notice in notices(answer) if isinstance(answer, Snapshot) else [no_answer(answer, snapshot)]:
            _say(notice)
    if snapshot is not None:
        _words_and_chart(snapshot, series, averages, is_old=snapshot is not answer)


def no_answer(problem: DatabaseProblem, last: Snapshot | None) -> Notice:
    """What is said while PostgreSQL is away: why, that the page helps itself, and of when the numbers are that still stand."""
    stands = f" The numbers below are of {last.now:%H:%M:%S} UTC." if last else ""
    return Notice(Level.ERROR, f"{problem.sentence} This page tries again by itself.{stands}")


def _words_and_chart(snapshot: Snapshot, series: Series, averages: tuple[int, ...], is_old: bool) -> None:
    words = components.Words(int(snapshot.now.timestamp() * 1000), is_old, tab_title(snapshot))
    components.strip("quote", quote(snapshot), words, _opens_symbol("quote"))
    with st.container(key="body", horizontal=True):
        with st.container(key="plot"):
            if series.rows:
                _chart(snapshot, series, averages)
            else:
                st.html('<div class="cs-empty"></div>')
        with st.container(key="rail"):
            components.strip("rail_words", rail(snapshot), words, _opens_symbol("rail_words"))


def _chart(snapshot: Snapshot, series: Series, averages: tuple[int, ...]) -> None:
    state, instrument = st.session_state, snapshot.instrument
    if instrument is None:
        return
    style = Style(
        symbol=snapshot.symbol,
        timeframe=snapshot.timeframe,
        zone=formats.zone_of(instrument.timezone),
        digits=instrument.price_precision,
        has_volume=instrument.has_volume,
        source=instrument.source,
        adjustment=snapshot.adjustment,
        averages=averages,
        palette=palette(st.context.theme.type),
    )
    wire: Wire = state.setdefault("wire", Wire(state.tab))
    components.chart("chart", wire.message(series, style, components.chart_state("chart").get("base")))


def as_text(text: str) -> str:
    """Text that Streamlit shows as it is: what comes from the address or the database is no Markdown, and so no link or picture."""
    return MARKDOWN.sub(r"\\\g<0>", text)


def _say(notice: Notice) -> None:
    show_as = {Level.ERROR: st.error, Level.WARNING: st.warning, Level.INFO: st.info}
    show_as[notice.level](as_text(notice.sentence))


def _opens_symbol(key: str) -> Callable[[], None]:
    """A click on a symbol opens it. A fragment cannot change the controls, so it asks for a run of the whole page."""

    def opened() -> None:
        symbol = st.session_state[key].get("symbol")
        if symbol:
            st.session_state.symbol = st.query_params["symbol"] = symbol
            st.session_state.symbol_opened = True

    return opened
