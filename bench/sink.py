"""Closed bars with their indicators into PostgreSQL: the stream's writer, Spark's JDBC writer and bare COPY, into the same tables.

    python -m bench.sink [--bars 100000] [--symbols 500] [--runs 5]

    writer  spark_jobs/database/writer.py as the stream calls it for rows that are new: arrays encoded, COPY, one transaction
    jdbc    Spark's JDBC writer in append mode from a cached DataFrame of the same columns: two partitions, 10,000 rows a batch,
            reWriteBatchedInserts; it cannot upsert, and each partition of each table is a transaction of its own
    jdbc as it comes    the same without these two settings: 1,000 rows a batch, a statement a row
    copy    COPY BINARY straight into the two tables, one transaction, of bytes encoded beforehand: what the tables can take
    writer again    the writer where every row is there already, after all other turns: COPY to a staging table and two upserts,
            what the other two cannot do

All write core.bars and core.indicators as migrated: partitioned, keyed by (symbol, timeframe, ts), durable. The tables are emptied
and a checkpoint is made before each turn; afterwards counts and sums must be the same for all.
"""

import os
import statistics
import time
from contextlib import ExitStack
from dataclasses import replace

import numpy as np
import psycopg2
import pyarrow as pa
from pyspark.sql import SparkSession

from bench.kit import Aim, Parts, arguments, ask, end_cleanly, interleaved, report, running_parts
from bench.peers.environments import jdbc_jar
from bench.writes import TOOK, TimedCursor
from market import indicators
from market.bars import PROVIDER_COMPLETE, empty_rows
from market.batches import BarChanges
from market.frames import annual_bars
from market.series import SeriesKey
from market.timeframes import DAY_MS, MINUTE_MS
from spark_jobs.database import statements
from spark_jobs.database.columns import copy_bytes, staged
from spark_jobs.database.writer import Writer
from stack.java.runtime import Java
from stack.passwords import WRITER, secret
from tests.embedded import Database

SOURCE = "simulator"
T0_MS = 1_795_003_200_000  # 2026-11-18 12:00 UTC
ROWS_A_BATCH = 10_000
COLUMNS = {"core.bars": statements.BAR_NAMES, "core.indicators": statements.INDICATOR_NAMES}
TOTALS = """SELECT count(*), sum(b.close), sum(i.rsi_14), sum(i.state[2]), count(i.sma_200)
            FROM core.bars b JOIN core.indicators i USING (symbol, timeframe, ts)"""


def closed_bars(symbols: int, bars: int) -> BarChanges:
    """`bars` closed minutes of seeded walks, with the kernel's values and states; what warms the averages up is left out."""
    each, warm = bars // symbols, indicators.LOOKBACK
    length = warm + each
    random = np.random.default_rng(1)
    rows = empty_rows(symbols * length)
    walk = np.exp(np.cumsum(random.normal(0, 4e-4, (symbols, length)), axis=1)) * 100
    close = np.round(walk, 2).ravel()
    rows["ts"] = T0_MS + np.tile(np.arange(length), symbols) * MINUTE_MS
    rows["end"] = rows["ts"] + MINUTE_MS
    rows["session_date"] = rows["ts"] // DAY_MS
    rows["session_open"] = rows["session_date"] * DAY_MS
    rows["open"], rows["close"], rows["high"], rows["low"] = close, close, close + 0.05, close - 0.05
    rows["volume"], rows["ticks"] = random.integers(100, 10_000, len(rows)), 20
    rows["origin"], rows["closed"], rows["final"] = PROVIDER_COMPLETE, True, True
    rows["event_ms"], rows["received_ms"], rows["provider_ms"] = rows["end"], rows["end"] + 40, rows["end"] + 40
    rows["input_last"] = rows["input_first"] = np.arange(len(rows))
    states = np.zeros((len(rows), indicators.N_STATE))
    values = np.zeros((len(rows), indicators.N_VALUES))
    bases = np.arange(symbols) * length
    names = ("high", "low", "close", "volume", "session_date")
    high, low, close, volume, session = (np.ascontiguousarray(rows[name]) for name in names)
    scales, annual = np.full(symbols, 100.0), np.full(symbols, annual_bars("24/7", "1m"))
    indicators.advance_many(
        high, low, close, volume, session, bases, bases, bases + length, scales, annual, states, values
    )
    kept = np.flatnonzero(np.tile(np.arange(length) >= warm, symbols))
    keys = [SeriesKey(f"S{number:04d}", "1m", "regular") for number in range(symbols)]
    none = np.zeros(0, np.int64)
    which = np.repeat(np.arange(symbols), length)
    is_new = np.ones(len(kept), bool)
    return BarChanges(keys, which[kept], rows[kept], states[kept], values[kept], is_new, none, empty_rows(0))


class Sinks:
    """The ways to write the same rows, each in seconds."""

    def __init__(self, database: Database, changes: BarChanges, spark: SparkSession, password: str) -> None:
        self.database = database
        self.changes = changes
        self.connection = psycopg2.connect(database.writer, cursor_factory=TimedCursor)
        self.writer = Writer(self.connection, SOURCE)
        self.writer.prepare()
        rows = pa.Table.from_batches([staged(changes, SOURCE)])
        self.encoded = {
            table: copy_bytes(rows.select(names).combine_chunks().to_batches()[0]) for table, names in COLUMNS.items()
        }
        frame = spark.createDataFrame(rows).repartition(2)
        self.frames = {table: frame.select(names).cache() for table, names in COLUMNS.items()}
        for cached in self.frames.values():
            cached.count()
        self.url = f"jdbc:postgresql://127.0.0.1:{database.port}/{database.name}"
        self.password = password
        self.totals: set[tuple[object, ...]] = set()

    def empty(self) -> None:
        ask(self.database.admin, "TRUNCATE core.bars, core.indicators")
        ask(self.database.admin, "CHECKPOINT")

    def check(self) -> None:
        """Sums of floats depend on the order of rows: compared to the tenth digit."""
        (found,) = ask(self.database.admin, TOTALS)
        self.totals.add(tuple(float(f"{float(str(value)):.10g}") for value in found))
        if len(self.totals) != 1 or found[0] != len(self.changes):
            raise SystemExit(f"not the same rows were written: {self.totals}")

    def by_writer(self) -> float:
        self.empty()
        return self.written(self.changes)

    def by_writer_again(self) -> float:
        """Over the rows of the turn before, whoever wrote them."""
        return self.written(replace(self.changes, is_new=np.zeros(len(self.changes), bool)))

    def written(self, changes: BarChanges) -> float:
        began = time.perf_counter()
        with self.connection, self.connection.cursor() as cursor:
            self.writer.write_series(cursor, changes)
        return self.rate(began)

    def by_copy(self) -> float:
        self.empty()
        for buffer in self.encoded.values():
            buffer.seek(0)
        began = time.perf_counter()
        with self.connection, self.connection.cursor() as cursor:
            for table, buffer in self.encoded.items():
                names = ", ".join(COLUMNS[table])
                cursor.copy_expert(f"COPY {table} ({names}) FROM STDIN (FORMAT binary)", buffer)
        return self.rate(began)

    def by_jdbc(self) -> float:
        return self.append({"url": f"{self.url}?reWriteBatchedInserts=true", "batchsize": str(ROWS_A_BATCH)})

    def by_jdbc_as_it_comes(self) -> float:
        return self.append({"url": self.url})

    def append(self, tuning: dict[str, str]) -> float:
        self.empty()
        began = time.perf_counter()
        for table, frame in self.frames.items():
            options = {"dbtable": table, "driver": "org.postgresql.Driver", "user": WRITER, "password": self.password}
            frame.write.format("jdbc").options(**options, **tuning).mode("append").save()
        return self.rate(began)

    def rate(self, began: float) -> float:
        rate = len(self.changes) / (time.perf_counter() - began)
        self.check()
        return rate


def spark_session(java: Java) -> SparkSession:
    """Spark as it comes, with the driver's jar and both cores; sessions in UTC, as timestamps are."""
    os.environ["JAVA_HOME"] = str(java.home)
    builder = SparkSession.builder.master("local[2]").appName("bench sink").config("spark.ui.enabled", "false")
    builder = builder.config("spark.ui.showConsoleProgress", "false")
    builder = builder.config("spark.jars", str(jdbc_jar(java))).config("spark.sql.session.timeZone", "UTC")
    builder = builder.config("spark.driver.memory", "2g").config("spark.driver.host", "127.0.0.1")
    session: SparkSession = builder.getOrCreate()
    session.sparkContext.setLogLevel("ERROR")
    return session


def compare(parts: Parts, database: Database, bars: int, symbols: int, runs: int) -> None:
    spark = spark_session(parts.java)
    try:
        sinks = Sinks(database, closed_bars(symbols, bars), spark, secret(parts.home, WRITER))
        ways = {
            "writer": sinks.by_writer,
            "copy": sinks.by_copy,
            "jdbc": sinks.by_jdbc,
            "jdbc as it comes": sinks.by_jdbc_as_it_comes,
        }
        for way in ways.values():  # compilers and caches
            way()
        TOOK.clear()
        found = interleaved(ways, runs)
        for statement, times in TOOK.items():
            print(f"  of that, {statement}: {statistics.median(times):,.0f} ms")
        again = [sinks.by_writer_again() for _ in range(runs)]
        report(found | {"writer again": again}, "writer", "rows/s", [Aim("jdbc", 5.0), Aim("copy", 0.5)])
        sinks.connection.close()
    finally:
        spark.stop()


def main() -> None:
    parser = arguments(__doc__)
    parser.add_argument("--bars", type=int, default=100_000)
    parser.add_argument("--symbols", type=int, default=500)
    options = parser.parse_args()
    end_cleanly()
    with ExitStack() as stack:
        parts = stack.enter_context(running_parts(with_kafka=False))
        database = stack.enter_context(parts.database())
        compare(parts, database, options.bars, options.symbols, options.runs)


if __name__ == "__main__":
    main()
