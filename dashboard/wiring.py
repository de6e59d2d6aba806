"""What the process has one of, whoever looks: its settings, its few connections and the feed over them."""

import streamlit as st

from dashboard.database import Database
from dashboard.feed import DatabaseFeed
from dashboard.settings import DashboardSettings


@st.cache_resource(show_spinner=False)
def settings() -> DashboardSettings:
    return DashboardSettings()  # type: ignore[call-arg]


@st.cache_resource(show_spinner=False)
def feed() -> DatabaseFeed:
    return DatabaseFeed(Database(settings().database_url))
