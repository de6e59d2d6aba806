"""What a start does beside streaming: forming bars taken up again, sessions written down, indicators of an older kernel redone."""

from collections.abc import Callable, Iterable
from datetime import UTC, datetime, timedelta

import numpy as np
import structlog
from psycopg2.extensions import connection as Connection
from psycopg2.extras import execute_values

from market.batches import BarChanges, Instrument, join_changes
from market.book import Book
from market.calendars import sessions
from market.indicators import kernel_version
from market.recompute import recompute_all
from market.series import SeriesKey
from spark_jobs.database.ledger import QUERY
from spark_jobs.database.writer import Writer

SESSIONS_BEHIND = timedelta(days=800)
SESSIONS_AHEAD = timedelta(days=60)
# Of a recomputation: rows of a series that are written before all others, rows a transaction, and rows held in memory.
NEWEST_ROWS = 1_000
SLICE_ROWS = 20_000
MOST_WAITING_ROWS = 600_000


# Calendars that are never closed have no extended hours, and looking for some would read every minute.
WITHOUT_EXTENDED_HOURS = {"24/7"}


def wake(book: Book, connection: Connection) -> None:
    """Loads every stored series, so that open bars are closed when their time comes and higher frames go on."""
    keys = stored_series(book, connection)
    has_hours = {
        name for name, instrument in book.instruments.items() if instrument.calendar not in WITHOUT_EXTENDED_HOURS
    }
    keys += [key._replace(session="ext") for key in keys if key.timeframe == "1m" and key.symbol in has_hours]
    book.memory.meet(keys)
    waiting = [(book.memory.ids[key], ts_ms) for key, ts_ms in oldest_waiting(connection) if key in book.memory.ids]
    series, ts_ms = np.array(waiting, np.int64).reshape(-1, 2).T
    book.memory.reach(series, ts_ms)
    book.resume()


def oldest_waiting(connection: Connection) -> list[tuple[SeriesKey, int]]:
    """The oldest bar of each series that is not final (its start in milliseconds): however old, it waits for its clock."""
    with connection.cursor() as cursor:
        cursor.execute(
            """SELECT symbol, timeframe, session, (extract(epoch FROM min(ts)) * 1000)::bigint
               FROM core.bars WHERE NOT is_final GROUP BY symbol, timeframe, session"""
        )
        return [(SeriesKey(*row[:3]), row[3]) for row in cursor.fetchall()]


def stored_series(book: Book, connection: Connection) -> list[SeriesKey]:
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
        return [
            SeriesKey(symbol, timeframe, "regular")
            for symbol, timeframe in cursor.fetchall()
            if symbol in book.instruments
        ]


def store_sessions(connection: Connection, instruments: Iterable[Instrument]) -> None:
    """Writes the sessions of the calendars in use where readers can join them, as the calendars have them now.

    What a newer calendar has otherwise is corrected; a day that has no session any more, such as a new holiday, goes.
    """
    today = datetime.now(UTC).date()
    first, last = today - SESSIONS_BEHIND, today + SESSIONS_AHEAD
    calendars = sorted({instrument.calendar for instrument in instruments})
    rows = []
    for calendar in calendars:
        for session in sessions(calendar, first, last):
            times = (session.open_ms, session.close_ms, session.break_start_ms, session.break_end_ms)
            rows.append((calendar, session.session_date, *times))
    if not rows:
        return
    with connection, connection.cursor() as cursor:
        execute_values(
            cursor,
            """INSERT INTO core.sessions AS s (calendar, session_date, opens_at, closes_at, break_start, break_end) VALUES %s
               ON CONFLICT (calendar, session_date) DO UPDATE SET opens_at = excluded.opens_at, closes_at = excluded.closes_at,
                   break_start = excluded.break_start, break_end = excluded.break_end
               WHERE (s.opens_at, s.closes_at, s.break_start, s.break_end) IS DISTINCT FROM
                   (excluded.opens_at, excluded.closes_at, excluded.break_start, excluded.break_end)""",
            rows,
            template="(%s, %s, to_timestamp(%s / 1000.0), to_timestamp(%s / 1000.0), to_timestamp(%s / 1000.0), "
            "to_timestamp(%s / 1000.0))",
            page_size=5000,
        )
        cursor.execute(
            """DELETE FROM core.sessions s WHERE calendar = ANY(%s) AND session_date BETWEEN %s AND %s
               AND NOT EXISTS (SELECT FROM unnest(%s::text[], %s::date[]) AS k (calendar, session_date)
                   WHERE k.calendar = s.calendar AND k.session_date = s.session_date)""",
            (calendars, first, last, [row[0] for row in rows], [row[1] for row in rows]),
        )


def recompute_if_kernel_changed(
    connection: Connection, book: Book, writer: Writer, log: structlog.stdlib.BoundLogger
) -> bool:
    """Every stored row gets the values of this kernel; then the version is written down. Gives whether anything was done.

    The newest rows of every series come first, for those are what people look at. What waits to be recomputed goes on waiting: the
    values of chosen indicators are not written here. The book has read all of history afterwards: load it anew.
    """
    version = kernel_version()
    with connection, connection.cursor() as cursor:
        cursor.execute("SELECT kernel_version FROM core.stream_epochs WHERE query = %s", (QUERY,))
        row = cursor.fetchone()
    if row is not None and row[0] == version:
        return False

    def write(changes: BarChanges) -> None:
        with connection, connection.cursor() as cursor:
            writer.write_indicators(cursor, changes)

    older: list[BarChanges] = []
    rows = waiting = 0
    for key in stored_series(book, connection):
        with connection, connection.cursor() as cursor:
            changes = recompute_all(book.memory, key)
            if changes is None:
                continue
            rows += len(changes)
            writer.write_indicators(cursor, changes.take(slice(-NEWEST_ROWS, None)))
        older.append(changes.take(slice(None, -NEWEST_ROWS)))
        waiting += len(older[-1])
        book.memory.arena.trim(book.memory.get(key), 0)
        if waiting > MOST_WAITING_ROWS:
            write_newest_first(older, write)
            older, waiting = [], 0
    write_newest_first(older, write)
    with connection, connection.cursor() as cursor:
        cursor.execute("UPDATE core.stream_epochs SET kernel_version = %s WHERE query = %s", (version, QUERY))
    log.info("kernel_recomputed", kernel_version=version, rows=rows)
    return True


def write_newest_first(changes: list[BarChanges], write: Callable[[BarChanges], None]) -> None:
    """Slices of all series, each a transaction of `write`, from the newest to the oldest."""
    if not changes:
        return
    joined = join_changes(changes)
    order = np.argsort(-joined.rows["ts"], kind="stable")
    for start in range(0, len(order), SLICE_ROWS):
        write(joined.take(order[start : start + SLICE_ROWS]))
