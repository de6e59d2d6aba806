"""What a start does beside streaming: forming bars taken up again, sessions written down, indicators of an older kernel redone."""

from collections.abc import Iterable
from datetime import UTC, datetime, timedelta

import structlog
from psycopg2.extensions import connection as Connection
from psycopg2.extras import execute_values

from market.batches import Instrument
from market.book import Book
from market.calendars import sessions
from market.indicators import kernel_version
from market.recompute import recompute_all
from market.series import SeriesKey
from spark_jobs.ledger import QUERY
from spark_jobs.writer import Writer

SESSIONS_BEHIND = timedelta(days=800)
SESSIONS_AHEAD = timedelta(days=60)


def wake(book: Book) -> None:
    """Loads every stored series, so that open bars are closed when their time comes and higher frames go on."""
    for key in stored_series(book):
        book.memory.get(key)
        if key.timeframe == "1m":
            book.memory.get(key._replace(session="ext"))
    book.resume()


def stored_series(book: Book) -> list[SeriesKey]:
    connection = book.memory.stored.connection  # type: ignore[attr-defined]
    with connection.cursor() as cursor:
        # A loose index scan: one probe a series instead of a look at every bar.
        cursor.execute(
            """WITH RECURSIVE s AS (
                   (SELECT symbol, timeframe FROM core.bars ORDER BY symbol, timeframe LIMIT 1)
                   UNION ALL
                   SELECT n.symbol, n.timeframe FROM s, LATERAL (
                       SELECT b.symbol, b.timeframe FROM core.bars b WHERE (b.symbol, b.timeframe) > (s.symbol, s.timeframe)
                       ORDER BY b.symbol, b.timeframe LIMIT 1) n
               ) SELECT symbol, timeframe FROM s"""
        )
        return [SeriesKey(*row, "regular") for row in cursor.fetchall() if row[0] in book.instruments]


def store_sessions(connection: Connection, instruments: Iterable[Instrument]) -> None:
    """Writes the sessions of the calendars in use where readers can join them."""
    today = datetime.now(UTC).date()
    rows = []
    for calendar in sorted({instrument.calendar for instrument in instruments}):
        for session in sessions(calendar, today - SESSIONS_BEHIND, today + SESSIONS_AHEAD):
            times = (session.open_ms, session.close_ms, session.break_start_ms, session.break_end_ms)
            rows.append((calendar, session.session_date, *times))
    with connection, connection.cursor() as cursor:
        if rows:
            execute_values(
                cursor,
                """INSERT INTO core.sessions (calendar, session_date, opens_at, closes_at, break_start, break_end) VALUES %s
                   ON CONFLICT (calendar, session_date) DO NOTHING""",
                rows,
                template="(%s, %s, to_timestamp(%s / 1000.0), to_timestamp(%s / 1000.0), to_timestamp(%s / 1000.0), "
                "to_timestamp(%s / 1000.0))",
                page_size=5000,
            )


def recompute_if_kernel_changed(
    connection: Connection, book: Book, writer: Writer, log: structlog.stdlib.BoundLogger
) -> None:
    """Every stored row gets the values of this kernel, a series a transaction; then the version is written down."""
    version = kernel_version()
    with connection, connection.cursor() as cursor:
        cursor.execute("SELECT kernel_version FROM core.stream_epochs WHERE query = %s", (QUERY,))
        row = cursor.fetchone()
    if row is not None and row[0] == version:
        return
    rows = 0
    for key in stored_series(book):
        with connection, connection.cursor() as cursor:
            changes = recompute_all(book.memory, key)
            if changes is not None:
                writer.write_series(cursor, changes)
                rows += len(changes)
        book.memory.arena.trim(book.memory.get(key), 0)
    with connection, connection.cursor() as cursor:
        cursor.execute("UPDATE core.stream_epochs SET kernel_version = %s WHERE query = %s", (version, QUERY))
    log.info("kernel_recomputed", kernel_version=version, rows=rows)
