"""The custom element of the page: all that a refresh shows, in one message, so that the screen never tells of two moments.

Streamlit sends a component's inline JavaScript with each of its messages, so what is inline only imports the module from the
dashboard's static files. Plotly.js is the copy inside the plotly package: nothing comes from the network.
"""

from collections.abc import Callable
from dataclasses import asdict, dataclass
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
class Screen:
    """One refresh. The HTML is already escaped; its ages count on, and its symbol links are clicks and not page loads."""

    quote: str
    rail: str
    empty: str
    """What stands in the chart's place where there is none."""
    chart: dict[str, Any] | None
    """A message of `wire.Wire`."""
    now_ms: int | None
    """The server's clock; None where the words are of an earlier refresh."""
    is_old: bool
    title: str
    """The tab's."""


def styles() -> None:
    st.html(STATIC / "page.css")


def screen(key: str, shown: Screen, on_symbol: Callable[[], None]) -> None:
    """Puts a refresh on the screen. What its chart confirms and wants is in `screen_state`."""
    # A refresh without news still has to be heard: the screen tells a dead server by its silence.
    beat = st.session_state["beat"] = st.session_state.get("beat", 0) + 1
    mount = st.components.v2.component("screen", js=_module("screen.js"), isolate_styles=False)
    mount(
        key=key,
        data={**asdict(shown), "beat": beat, "theme": st.context.theme.type, "plotly": _plotly_url()},
        default={"base": None, "want": None},
        on_base_change=_nothing,
        on_want_change=_nothing,
        on_symbol_change=on_symbol,
    )


def screen_state(key: str) -> dict[str, Any]:
    """`base`: the base that the chart has; `want`: the view and the number of bars that it would like to have."""
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
