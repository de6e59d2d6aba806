"""The two custom elements of the page: the chart and the strips of words. Both keep their elements through every refresh.

Streamlit sends a component's inline JavaScript with each of its messages, so what is inline only imports the module from the
dashboard's static files. Plotly.js is the copy inside the plotly package: nothing comes from the network.
"""

from collections.abc import Callable
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any

import plotly
import streamlit as st
import streamlit.components.v1 as components_v1

STATIC = Path(__file__).parent / "static"
VERSION = max(int(path.stat().st_mtime) for path in STATIC.iterdir())
# In two lines: Streamlit takes text of a single line for the path of a file.
MODULE = """const url = new URL("{base}/app/static/{name}?v={version}", location.origin);
export default (it) => import(url).then((module) => module.default(it));"""


@dataclass(frozen=True, slots=True)
class Words:
    """What every strip is told: the server's clock, whether its words are of an earlier refresh, and the tab's title."""

    now_ms: int
    is_old: bool
    title: str


def styles() -> None:
    st.html(STATIC / "page.css")


def strip(key: str, html: str, words: Words, on_symbol: Callable[[], None]) -> None:
    """A piece of HTML, already escaped, whose ages count on and whose symbol links are clicks and not page loads."""
    # A refresh without news still has to be heard: the screen tells a dead server by its silence.
    beat = st.session_state["beat"] = st.session_state.get("beat", 0) + 1
    data = {
        "html": html,
        "now_ms": None if words.is_old else words.now_ms,
        "is_old": words.is_old,
        "title": words.title,
        "beat": beat,
    }
    mount = st.components.v2.component("strip", js=_module("strip.js"), isolate_styles=False)
    mount(key=key, data={**data, "theme": st.context.theme.type}, on_symbol_change=on_symbol)


def chart(key: str, message: dict[str, Any]) -> None:
    """The chart, given a message of `wire.Wire`. What it confirms and wants is in `chart_state`."""
    mount = st.components.v2.component("chart", js=_module("chart.js"), isolate_styles=False)
    mount(
        key=key,
        data={**message, "plotly": _plotly_url()},
        default={"base": None, "want": None},
        on_base_change=_nothing,
        on_want_change=_nothing,
    )


def chart_state(key: str) -> dict[str, Any]:
    """`base`: the base that the screen has; `want`: the view and the number of bars that it would like to have."""
    return dict(st.session_state.get(key) or {})


def _module(name: str) -> str:
    return MODULE.format(base=_base(), name=name, version=VERSION)


def _base() -> str:
    path = str(st.get_option("server.baseUrlPath") or "").strip("/")
    return f"/{path}" if path else ""


@cache
def _plotly_url() -> str:
    """Where this server serves the Plotly.js of the plotly package: that folder is declared as a component's files."""
    declared = components_v1.declare_component("plotly", path=Path(plotly.__file__).parent / "package_data")
    return f"{_base()}/component/{declared.name}/plotly.min.js?v={plotly.__version__}"


def _nothing() -> None:
    """Streamlit keeps a component's state only where there is a callback for it."""
