"""Rows as the stream would write them, with the values that a test does not care about."""

from datetime import UTC, datetime, timedelta
from typing import Any

from psycopg2.extensions import cursor
from psycopg2.sql import SQL, Identifier, Placeholder

START = datetime.now(UTC).replace(second=0, microsecond=0) - timedelta(minutes=30)


INSTRUMENT = {
    "symbol": "AAPL", "name": "Apple Inc.", "exchange": "NMS", "calendar": "24/7", "timezone": "UTC", "currency": "USD",
    "state": "ok", "source": "simulator",
}  # fmt: skip


BAR = {
    "symbol": "AAPL", "timeframe": "1m", "session": "regular", "open": 100.0, "high": 102.0, "low": 99.0, "close": 101.0,
    "volume": 500.0, "ticks": 10, "mean_price": 100.5, "is_closed": True, "is_final": True, "revision": 0,
    "source": "simulator", "inputs": "", "origin": 0, "provider_ms": 0, "first_ms": 0, "first_volume": 0, "last_ms": 0,
    "last_volume": 0, "day_volume": 0,
}  # fmt: skip


def insert(cur: cursor, table: str, **values: Any) -> None:
    statement = SQL("INSERT INTO core.{} ({}) VALUES ({})").format(
        Identifier(table), SQL(",").join(map(Identifier, values)), SQL(",").join(map(Placeholder, values))
    )
    cur.execute(statement, values)


def bar(cur: cursor, minute: int, **values: Any) -> None:
    ts = START + timedelta(minutes=minute)
    times = {
        "ts": ts,
        "bar_end": ts + timedelta(minutes=1),
        "session_date": ts.date(),
        "event_time": ts,
        "received_at": ts,
    }
    insert(cur, "bars", **{**BAR, **times, **values})
