"""How long the questions of `v1.bars_as_of` take on a large table.

    python -m bench.as_of [--symbols 40] [--days 60] [--explain]

Fills a PostgreSQL of its own with the closed minutes of symbols that trade around the clock, three in four of them revised a minute
after their close (as a provider's confirmation does), and prints the median milliseconds of each question, asked as the reader.
"""

import argparse
import os
import statistics
import time
from datetime import UTC, datetime, timedelta

import psycopg2
from psycopg2.extensions import connection as Connection

from market import indicators
from market.as_of import Mode, indicators_as_of
from tests import embedded

NOW = datetime.now(UTC)
# A migration makes the partitions of two months back; what is older would lie in one partition.
START = datetime(NOW.year, NOW.month, 1, tzinfo=UTC) - timedelta(days=58)
RUNS = 7
MODES: tuple[Mode, ...] = ("seen", "event")

FILL_BARS = """
    INSERT INTO core.bars (symbol, timeframe, ts, bar_end, session_date, session, open, high, low, close, volume, ticks, mean_price,
                           is_closed, is_final, revision, source, event_time, received_at, updated_at, inputs, origin, provider_ms,
                           first_ms, first_volume, last_ms, last_volume, day_volume)
    SELECT 'S' || s, '1m', m, m + interval '1 minute', m::date, 'regular', 10, 12, 9, 11, 100, 5, 10.5, true, true,
           CASE WHEN n %% 4 > 0 THEN 1 ELSE 0 END, 'simulator', m + interval '1 minute', m + interval '1 minute',
           m + CASE WHEN n %% 4 > 0 THEN interval '2 minutes' ELSE interval '61 seconds' END, 'market.events.v1[0]@0-0', 3, 0,
           0, 0, 0, 0, 0
    FROM generate_series(0, %(minutes)s - 1) AS n, generate_series(1, %(symbols)s) AS s,
         LATERAL (SELECT %(start)s + n * interval '1 minute') AS t (m)"""
FILL_REVISIONS = """
    INSERT INTO core.bar_revisions (symbol, timeframe, ts, revision, open, high, low, close, volume, ticks, is_final, source,
                                    event_time, received_at, updated_at, superseded_at, inputs)
    SELECT symbol, timeframe, ts, 0, open, high, low, close, 90, ticks, false, source, event_time, received_at,
           ts + interval '61 seconds', updated_at, inputs
    FROM core.bars WHERE revision = 1"""
FILL_COMMITS = """
    INSERT INTO core.commits (began_at, committed_at)
    SELECT t, t + interval '20 milliseconds'
    FROM generate_series(%(start)s, %(start)s + %(minutes)s * interval '1 minute', interval '30 seconds') AS t"""

# One symbol's indicators are enough to ask for: their values do not matter, that they are stored does.
FILL_INDICATORS = """
    INSERT INTO core.indicators (symbol, timeframe, ts, revision, is_final, sma_20, state)
    SELECT symbol, timeframe, ts, revision, is_final, close, array_fill(1.0::float8, ARRAY[%(slots)s])
    FROM core.bars WHERE symbol = 'S7'"""
ADD_INSTRUMENT = """
    INSERT INTO core.instruments (symbol, calendar, timezone, currency, state, source)
    VALUES ('S7', '24/7', 'UTC', 'USD', 'ok', 'simulator')"""

QUESTIONS = {
    "the newest 300 bars": "SELECT * FROM v1.bars_as_of('S7', '1m', {at}, '{mode}') ORDER BY ts DESC LIMIT 300",
    "one day of bars": "SELECT * FROM v1.bars_as_of('S7', '1m', {at}, '{mode}') WHERE ts > {at} - interval '1 day' ORDER BY ts",
    "every bar": "SELECT * FROM v1.bars_as_of('S7', '1m', {at}, '{mode}') ORDER BY ts",
}


def fill(connection: Connection, symbols: int, days: int) -> None:
    size = {"symbols": symbols, "minutes": days * 1440, "start": START}
    connection.autocommit = True
    with connection.cursor() as cursor:
        cursor.execute(FILL_BARS, size)
        cursor.execute(FILL_REVISIONS)
        cursor.execute(FILL_COMMITS, size)
        cursor.execute(FILL_INDICATORS, {"slots": indicators.N_STATE})
        cursor.execute(ADD_INSTRUMENT)
        cursor.execute("VACUUM ANALYZE core.bars, core.bar_revisions, core.indicators, core.commits")
        for table in ("bars", "bar_revisions"):
            cursor.execute(f"SELECT count(*) FROM core.{table}")  # noqa: S608
            print(f"core.{table}: {(cursor.fetchone() or (0,))[0]:,} rows")


def ask(connection: Connection, days: int, *, explain: bool) -> None:
    times = {"the middle": START + timedelta(days=days // 2, seconds=30), "the end": START + timedelta(days=days)}
    with connection, connection.cursor() as cursor:
        for what, question in QUESTIONS.items():
            for mode in MODES:
                for place, at in times.items():
                    statement = question.format(at=f"timestamptz '{at.isoformat()}'", mode=mode)
                    if explain:
                        cursor.execute("EXPLAIN (ANALYZE, COSTS OFF, BUFFERS) " + statement)
                        print("\n".join(line for (line,) in cursor.fetchall()))
                    took_ms = []
                    for _ in range(RUNS):
                        began = time.perf_counter()
                        cursor.execute(statement)
                        rows = len(cursor.fetchall())
                        took_ms.append(1000 * (time.perf_counter() - began))
                    print(f"{what:<22}{mode:<8}as of {place:<12}{rows:>8} rows{statistics.median(took_ms):10.1f} ms")
        for mode in MODES:
            for place, at in times.items():
                took_ms = []
                for _ in range(RUNS):
                    began = time.perf_counter()
                    rows = len(indicators_as_of(cursor, "S7", "1m", at, mode, count=300).ts_ms)
                    took_ms.append(1000 * (time.perf_counter() - began))
                print(
                    f"{'indicators of 300':<22}{mode:<8}as of {place:<12}{rows:>8} rows{statistics.median(took_ms):10.1f} ms"
                )


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--symbols", type=int, default=40)
    parser.add_argument("--days", type=int, default=60)
    parser.add_argument("--explain", action="store_true")
    options = parser.parse_args()
    with embedded.temporary_home() as home:
        os.environ["PGPASSFILE"] = str(home.pgpass)
        with embedded.running_postgres(home) as server:
            database = embedded.fresh_database(server, home.pgpass)
            admin, reader = psycopg2.connect(database.admin), psycopg2.connect(database.reader)
            fill(admin, options.symbols, options.days)
            ask(reader, options.days, explain=options.explain)
            admin.close()
            reader.close()


if __name__ == "__main__":
    main()
