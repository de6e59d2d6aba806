"""What a start does when other indicators are chosen than before: the new ones get their history, those taken out lose their rows.

What stays chosen and is computed by the same code is not touched. The table `core.indicator_choices` says what is complete; a start
that is interrupted leaves there what it was at, and the next one does that again.
"""

from collections.abc import Callable
from itertools import starmap

import numpy as np
import structlog
from psycopg2.extensions import connection as Connection
from psycopg2.extras import execute_values

from market import recompute
from market.batches import BarChanges
from market.book import Book
from market.choices import choice_of
from market.chosen import code_version
from market.memory import Memory
from market.series import SeriesKey
from spark_jobs.database import chosen
from spark_jobs.database.ledger import QUERY
from spark_jobs.database.writer import Writer
from spark_jobs.start import rebuild

Key = tuple[str, str, str]  # timeframe, kind, params

# Not complete: its rows are being written, or deleted.
UNFINISHED = ""


def bring_up_to_date(connection: Connection, book: Book, writer: Writer, log: structlog.stdlib.BoundLogger) -> bool:
    """Gives whether anything was done; then the book has read all of history: load it anew."""
    code = code_version()
    version = writer.chosen.version(code)
    with connection, connection.cursor() as cursor:
        cursor.execute("SELECT indicators_version FROM core.stream_epochs WHERE query = %s", (QUERY,))
        row = cursor.fetchone()
        if row is not None and row[0] == version:
            return False
        cursor.execute("SELECT timeframe, kind, params, code_version FROM core.indicator_choices")
        known = {(timeframe, kind, params): made_by for timeframe, kind, params, made_by in cursor.fetchall()}
    now = {choice.key: number for number, choice in enumerate(writer.chosen.all)}
    new = [number for key, number in now.items() if known.get(key) != code]
    gone = [key for key in known if key not in now]
    _note(connection, gone, UNFINISHED)
    _remove(connection, gone)
    added = [writer.chosen.all[number] for number in new]
    _note(connection, [choice.key for choice in added], UNFINISHED)
    rows = _compute(connection, book, writer, new) if new else 0
    _note(connection, [choice.key for choice in added], code)
    with connection, connection.cursor() as cursor:
        cursor.execute("UPDATE core.stream_epochs SET indicators_version = %s WHERE query = %s", (version, QUERY))
    told = {"computed": list(map(str, added)), "removed": [" ".join(key) for key in gone]}
    log.info("indicators_chosen", indicators_version=version, bars=rows, **told)
    return True


def _note(connection: Connection, keys: list[Key], made_by: str) -> None:
    if keys:
        with connection, connection.cursor() as cursor:
            execute_values(
                cursor,
                """INSERT INTO core.indicator_choices (timeframe, kind, params, code_version) VALUES %s
                   ON CONFLICT (timeframe, kind, params) DO UPDATE SET code_version = excluded.code_version,
                       updated_at = now()""",
                [(*key, made_by) for key in keys],
            )


def _remove(connection: Connection, keys: list[Key]) -> None:
    """Deletes all rows of choices, symbol by symbol, and then the choices."""
    if not keys:
        return
    names = [(choice.timeframe, name, choice.params) for choice in starmap(choice_of, keys) for name in choice.names]
    with connection, connection.cursor() as cursor:
        cursor.execute("SELECT symbol FROM core.instruments ORDER BY symbol")
        symbols = [symbol for (symbol,) in cursor.fetchall()]
    for symbol in symbols:
        with connection, connection.cursor() as cursor:
            cursor.execute(
                """DELETE FROM core.indicator_values v USING unnest(%s, %s, %s) AS g (timeframe, name, params)
                   WHERE v.symbol = %s AND v.timeframe = g.timeframe AND v.name = g.name AND v.params = g.params""",
                (*map(list, zip(*names, strict=True)), symbol),
            )
    with connection, connection.cursor() as cursor:
        execute_values(
            cursor,
            """DELETE FROM core.indicator_choices c USING (VALUES %s) AS g (timeframe, kind, params)
               WHERE c.timeframe = g.timeframe AND c.kind = g.kind AND c.params = g.params""",
            keys,
        )


def _compute(connection: Connection, book: Book, writer: Writer, numbers: list[int]) -> int:
    """Every stored bar of the choices' timeframes, the newest of every series first; gives how many bars that were."""
    frames = {writer.chosen.all[number].timeframe for number in numbers}

    def write(changes: BarChanges) -> None:
        with connection, connection.cursor() as cursor:
            chosen.write(cursor, changes, writer.chosen, numbers)

    keys = [key for key in rebuild.stored_series(book, connection) if key.timeframe in frames]
    return _each_newest_first(connection, book.memory, keys, write)


def _each_newest_first(
    connection: Connection, memory: Memory, keys: list[SeriesKey], write: Callable[[BarChanges], None]
) -> int:
    older: list[BarChanges] = []
    rows = waiting = 0
    for key in keys:
        with connection:
            changes = _every_row(memory, key)
        rows += len(changes)
        write(changes.take(slice(-rebuild.NEWEST_ROWS, None)))
        older.append(changes.take(slice(None, -rebuild.NEWEST_ROWS)))
        waiting += len(older[-1])
        memory.arena.trim(memory.get(key), 0)
        if waiting > rebuild.MOST_WAITING_ROWS:
            rebuild.write_newest_first(older, write)
            older, waiting = [], 0
    rebuild.write_newest_first(older, write)
    return rows


def _every_row(memory: Memory, key: SeriesKey) -> BarChanges:
    series, arena = memory.get(key), memory.arena
    memory.read_all(series)
    if arena.table["size"][series]:
        recompute.compute_from(memory, np.array([series]), np.zeros(1, np.int64))
    at = arena.slice(series)
    return recompute.values_at(memory, np.arange(at.start, at.stop))
