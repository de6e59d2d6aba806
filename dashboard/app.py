"""The dashboard's entry: `streamlit run dashboard/app.py`. It names the pages and the tab; each page is in `pages/`."""

from pathlib import Path

import streamlit as st
from pydantic import ValidationError

from dashboard.database import DatabaseProblem
from dashboard.source import is_simulated
from dashboard.wiring import feed, settings

ICON = Path(__file__).parent / "static" / "icon.svg"


def title() -> str:
    """The tab's words until the first refresh has better ones (`quote.tab_title`)."""
    words = st.query_params.get("symbol") or "Candlestream"
    try:
        marked = any(is_simulated(instrument.source) for instrument in feed().instruments())
    except DatabaseProblem:
        return words
    return f"SIMULATED {words}" if marked else words


def main() -> None:
    try:
        settings()
    except ValidationError as error:
        missing = ", ".join(f"CANDLESTREAM_{str(one['loc'][0]).upper()}" for one in error.errors())
        st.error(f"The dashboard is not configured: {missing} is missing or wrong in its environment.")
        return
    st.set_page_config(page_title=title(), page_icon=str(ICON), layout="wide")
    st.navigation([st.Page("pages/chart.py", title="Chart")], position="hidden").run()


main()
