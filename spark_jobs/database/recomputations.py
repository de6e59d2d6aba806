"""The queue of recomputations in PostgreSQL: what corrections of the past have left to do (`market.past`), a row a series."""

from psycopg2.extensions import connection as Connection
from psycopg2.extensions import cursor as Cursor
from psycopg2.extras import execute_values

from market.past import Recomputation
from market.series import SeriesKey

# Oldest first.
Queue = dict[SeriesKey, Recomputation]

# As `Recomputation.joined`.
_ADD = """
    INSERT INTO core.recomputations AS r (symbol, timeframe, from_ts, through_ts) VALUES %s
    ON CONFLICT (symbol, timeframe) DO UPDATE SET from_ts = least(r.from_ts, excluded.from_ts),
        through_ts = greatest(r.from_ts, r.through_ts, excluded.from_ts, excluded.through_ts)"""
_ROW = "(%s, %s, to_timestamp(%s / 1000.0), to_timestamp(%s / 1000.0))"


def read(connection: Connection) -> Queue:
    """That of an instrument that is not known any more waits until it is."""
    with connection.cursor() as cursor:
        cursor.execute(
            """SELECT symbol, timeframe, (extract(epoch FROM from_ts) * 1000)::bigint,
                      (extract(epoch FROM through_ts) * 1000)::bigint
               FROM core.recomputations JOIN core.instruments i USING (symbol) WHERE i.state = 'ok'
               ORDER BY queued_at, symbol, timeframe"""
        )
        keys = [(SeriesKey(symbol, timeframe, "regular"), *times) for symbol, timeframe, *times in cursor.fetchall()]
    return {key: Recomputation(key, from_ms, through_ms) for key, from_ms, through_ms in keys}


def add(cursor: Cursor, jobs: list[Recomputation]) -> None:
    """Queues them, joined with what their series have to do already."""
    rows = [(job.key.symbol, job.key.timeframe, job.from_ms, job.through_ms) for job in jobs]
    if rows:
        execute_values(cursor, _ADD, rows, template=_ROW, page_size=len(rows))


def move(cursor: Cursor, job: Recomputation, rest: Recomputation | None) -> None:
    """After a slice of `job`: what is left to do, if anything."""
    if rest is None:
        cursor.execute("DELETE FROM core.recomputations WHERE symbol = %s AND timeframe = %s", job.key[:2])
    else:
        cursor.execute(
            "UPDATE core.recomputations SET from_ts = to_timestamp(%s / 1000.0) WHERE symbol = %s AND timeframe = %s",
            (rest.from_ms, *job.key[:2]),
        )
