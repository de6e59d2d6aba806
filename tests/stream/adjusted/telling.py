"""Bars as they were printed, and words about splits and dividends, written as the platform does it."""

from datetime import UTC, date, datetime
from typing import Any

from psycopg2.extensions import connection as Connection

from market.batches import Batch, Changes
from spark_jobs.batch import Scanned
from spark_jobs.database.writer import Writer
from tests.stream.dashboard.rows import BAR, insert

Rows = list[tuple[Any, ...]]


def opens(day: date, hour: int = 14) -> datetime:
    return datetime(day.year, day.month, day.day, hour, 30, tzinfo=UTC)


def bar(
    write: Connection,
    symbol: str,
    day: str,
    ohlcv: tuple[float, float, float, float, float | None],
    timeframe: str = "1d",
    ends: str = "",
    **more: Any,
) -> None:
    """A bar as it was printed on a day; `ends` is the last day of a longer one."""
    at = date.fromisoformat(day)
    first, high, low, last, volume = ohlcv
    values = BAR | {
        "symbol": symbol, "timeframe": timeframe, "ts": opens(at), "session_date": at, "event_time": opens(at),
        "bar_end": opens(date.fromisoformat(ends or day), 21), "received_at": opens(at), "updated_at": opens(at),
        "open": first, "high": high, "low": low, "close": last, "volume": volume,
    }  # fmt: skip
    with write, write.cursor() as cursor:
        insert(cursor, "bars", **values | more)


def flat(write: Connection, symbol: str, day: str, price: float, volume: float = 1_000.0, **more: Any) -> None:
    bar(write, symbol, day, (price, price, price, price, volume), **more)


def tell(write: Connection, *words: tuple[str, str, str, float], at: datetime | None = None) -> datetime:
    """Actions as a batch of the stream writes them, fetched at a time; gives a time after that batch's commit."""
    at = at or datetime.now(UTC)
    rows = [
        {"symbol": symbol, "ex_date": date.fromisoformat(day), "action": action, "close": value}
        | {"received_ms": int(at.timestamp() * 1000)}
        for symbol, day, action, value in words
    ]
    writer = Writer(write, "simulator")
    with write, write.cursor() as cursor:
        cursor.execute("DROP TABLE IF EXISTS pg_temp.stage, pg_temp.stage_latest, pg_temp.stage_quality")
    writer.prepare()
    with write, write.cursor() as cursor:
        writer.write(cursor, Changes(), Scanned(Batch(), actions=rows), {}, 0)
    with write, write.cursor() as cursor:
        cursor.execute("SELECT clock_timestamp()")
        (after,) = cursor.fetchone() or ()
    return after  # type: ignore[no-any-return]
