"""The page with the chart: what is chosen, and the fragment that draws it anew each second."""

import re
import uuid
from typing import Any

import streamlit as st

from dashboard import components, formats, reading
from dashboard.choices import choices, corrections, is_outdated
from dashboard.database import DatabaseProblem
from dashboard.deployment import Deployment
from dashboard.empty import empty
from dashboard.feed import Feed, Snapshot
from dashboard.notices import Level, Notice, notices
from dashboard.palette import palette
from dashboard.quote import quote, tab_title
from dashboard.rail import rail
from dashboard.reading import View
from dashboard.style import Style
from dashboard.wire import Series, Wire

MARKDOWN = re.compile(r"[\\`*_\[\]<>$~#|]")
SCREEN = "screen"


def show(feed: Feed, refresh_s: float, deployment: Deployment = Deployment.NATIVE) -> None:
    """The controls once, and below them all that lives."""
    components.styles()
    st.session_state.setdefault("tab", uuid.uuid4().hex[:8])
    view, averages = choices(feed)
    st.fragment(_refresh, run_every=refresh_s)(feed, view, averages, deployment)


def _refresh(feed: Feed, view: View, averages: tuple[int, ...], deployment: Deployment) -> None:
    """One refresh. When the database does not answer, what was last seen stays, under a sentence that says so."""
    state = st.session_state
    said = st.container(key="notices")
    series = reading.series(state, view)
    answer: Snapshot | DatabaseProblem
    try:
        answer = reading.read(state, feed, series, view, components.screen_state(SCREEN).get("want"))
    except DatabaseProblem as problem:
        answer = problem
    snapshot = answer if isinstance(answer, Snapshot) else reading.last_of(state, view)
    if (isinstance(answer, Snapshot) and is_outdated(answer)) or state.pop("symbol_opened", False):
        st.rerun()
    with said:
        of_data = notices(answer, deployment) if isinstance(answer, Snapshot) else [no_answer(answer, snapshot)]
        for notice in [*of_data, *corrections()]:
            _say(notice)
    if snapshot is not None:
        _show(snapshot, series, averages, deployment, is_old=snapshot is not answer)


def no_answer(problem: DatabaseProblem, last: Snapshot | None) -> Notice:
    """What is said while PostgreSQL is away: why, that the page helps itself, and of when the numbers are that still stand."""
    stands = f" The numbers below are of {last.now:%H:%M:%S} UTC." if last else ""
    return Notice(Level.ERROR, f"{problem.sentence} This page tries again by itself.{stands}")


def _show(snapshot: Snapshot, series: Series, averages: tuple[int, ...], deployment: Deployment, is_old: bool) -> None:
    """All of it is made before any of it is sent, and it is sent as one message."""
    shown = components.Screen(
        quote=quote(snapshot),
        rail=rail(snapshot, deployment),
        empty=empty(snapshot),
        chart=_chart(snapshot, series, averages),
        now_ms=None if is_old else int(snapshot.now.timestamp() * 1000),
        is_old=is_old,
        title=tab_title(snapshot),
    )
    components.screen(SCREEN, shown, _open_symbol)


def _chart(snapshot: Snapshot, series: Series, averages: tuple[int, ...]) -> dict[str, Any] | None:
    state, instrument = st.session_state, snapshot.instrument
    if instrument is None or not series.rows:
        return None
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
    return wire.message(series, style, components.screen_state(SCREEN).get("base"))


def as_text(text: str) -> str:
    """Text that Streamlit shows as it is: what comes from the address or the database is no Markdown, and so no link or picture."""
    return MARKDOWN.sub(r"\\\g<0>", text)


def _say(notice: Notice) -> None:
    show_as = {Level.ERROR: st.error, Level.WARNING: st.warning, Level.INFO: st.info}
    remedy = f" {notice.remedy}" if notice.remedy else ""
    show_as[notice.level](as_text(notice.sentence) + remedy)


def _open_symbol() -> None:
    """A click on a symbol opens it. A fragment cannot change the controls, so it asks for a run of the whole page."""
    symbol = st.session_state[SCREEN].get("symbol")
    if symbol:
        st.session_state.symbol = st.query_params["symbol"] = symbol
        st.session_state.symbol_opened = True
        st.session_state.pop("corrected", None)
