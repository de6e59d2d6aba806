"""Snapshots as the database would give them: one instrument, a session that is on, everything well."""

from collections.abc import Callable
from dataclasses import replace
from datetime import UTC, date, datetime, timedelta
from typing import Any
from zoneinfo import ZoneInfo

import pytest

from dashboard.feed import Snapshot
from dashboard.palette import DARK
from dashboard.queries import Instrument, Latest, Quality, Row, Service, Session, Watched
from dashboard.style import AVERAGES, Style

OPEN = datetime(2026, 11, 20, 14, 30, tzinfo=UTC)
CLOSE = datetime(2026, 11, 20, 21, 0, tzinfo=UTC)
NEXT_OPEN = datetime(2026, 11, 23, 14, 30, tzinfo=UTC)
NOW = datetime(2026, 11, 20, 15, 0, 0, tzinfo=UTC)
NEW_YORK = ZoneInfo("America/New_York")

APPLE = Instrument("AAPL", "Apple Inc.", "NMS", "XNYS", "America/New_York", "USD", 2, True, "ok", None, "yahoo")


def make_row(minute: int = 0, **values: Any) -> Row:
    """The bar of a minute of the session, an upward one with all its indicators."""
    ts_ms = int((OPEN + timedelta(minutes=minute)).timestamp() * 1000)
    row = Row(
        ts_ms=ts_ms,
        end_ms=ts_ms + 60_000,
        session_date=date(2026, 11, 20),
        open=100.0,
        high=102.0,
        low=99.0,
        close=101.0,
        volume=500.0,
        is_closed=True,
        is_final=True,
        sma_5=100.5,
        sma_20=100.4,
        sma_50=100.3,
        sma_200=100.2,
        rsi_14=55.0,
        macd=0.5,
        macd_signal=0.4,
        macd_histogram=0.1,
    )
    return row._replace(**values)


def make_rows(count: int, forming: bool = True) -> list[Row]:
    rows = [make_row(minute) for minute in range(count)]
    return [*rows[:-1], rows[-1]._replace(is_closed=False, is_final=False)] if forming else rows


def make_snapshot(**values: Any) -> Snapshot:
    snapshot = Snapshot(
        now=NOW,
        symbol="AAPL",
        timeframe="1m",
        instruments=[APPLE],
        timeframes=["1m", "1d"],
        rows=make_rows(30),
        latest=Latest(101.0, 100.0, 1.0, 1.0, 102.5, 99.5, 1_234_567.0, 140.0, 80.0, "regular", NOW, "yahoo"),
        five_minute_mean=100.75,
        sessions=[
            Session(date(2026, 11, 20), OPEN, CLOSE),
            Session(date(2026, 11, 23), NEXT_OPEN, NEXT_OPEN + timedelta(hours=6.5)),
        ],
        quality=Quality(date(2026, 11, 20), 30, 29, 1, 900, 2, 0, 3, None),
        watchlist=[Watched("AAPL", 101.0, 1.0, 2, "ok")],
        sparks={"AAPL": [99.0, 100.0, 101.0]},
        services=[Service("ingestion", "ok", "connected", 1.0), Service("spark", "ok", "running", 1.0)],
        stream_age_s=0.5,
    )
    return replace(snapshot, **values)


def make_style(**values: Any) -> Style:
    style = Style("AAPL", "1m", NEW_YORK, 2, True, "yahoo", AVERAGES, DARK)
    return replace(style, **values)


@pytest.fixture
def row() -> Callable[..., Row]:
    return make_row


@pytest.fixture
def rows() -> Callable[..., list[Row]]:
    return make_rows


@pytest.fixture
def snapshot() -> Callable[..., Snapshot]:
    return make_snapshot


@pytest.fixture
def style() -> Callable[..., Style]:
    return make_style
