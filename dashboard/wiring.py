"""What the process has one of, whoever looks: its settings, its few connections and the feed over them."""

import streamlit as st

from dashboard import logs
from dashboard.database import Database
from dashboard.feed import DatabaseFeed
from dashboard.settings import DashboardSettings


@st.cache_resource(show_spinner=False)
def settings() -> DashboardSettings:
    found = DashboardSettings()  # type: ignore[call-arg]
    logs.configure(found.log_level)
    return found


@st.cache_resource(show_spinner=False)
def feed() -> DatabaseFeed:
    return DatabaseFeed(Database(settings().database_url))
