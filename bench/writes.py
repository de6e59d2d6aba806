"""What a batch's transaction costs PostgreSQL, statement by statement.

    python -m bench.writes [--rate 10000] [--symbols 500] [--batches 300] [--every-ms 120]

The changes are the fold's (bench.fold); commits are durable. Prints the milliseconds of each statement as the driver waits for it.
"""

import argparse
import os
import signal
import time
from collections import defaultdict
from contextlib import ExitStack
from typing import Any

import numpy as np
import psycopg2
import pyarrow as pa
from psycopg2.extensions import cursor as Cursor

from bench.fold import SOURCE, arrow, records, warm_book
from spark_jobs.batch import read_scan
from spark_jobs.database.writer import Writer
from spark_jobs.scan.known import Known
from spark_jobs.scan.one_pass import Scan
from spark_jobs.scan.partials import PARTIALS
from tests import embedded

TOOK: dict[str, list[float]] = defaultdict(list)


class TimedCursor(Cursor):
    """Notes how long each statement took, by its first words."""

    def execute(self, query: Any, arguments: Any = None) -> None:
        started = time.perf_counter()
        super().execute(query, arguments)
        self._note(query, started)

    def copy_expert(self, sql: Any, file: Any, size: int = 8192) -> None:
        started = time.perf_counter()
        super().copy_expert(sql, file, size)
        self._note(sql, started)

    def _note(self, query: Any, started: float) -> None:
        text = query.decode() if isinstance(query, bytes) else query
        TOOK[" ".join(text.split()[:3])].append((time.perf_counter() - started) * 1e3)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--rate", type=int, default=10_000, help="trades a second")
    parser.add_argument("--symbols", type=int, default=500)
    parser.add_argument("--batches", type=int, default=300)
    parser.add_argument("--every-ms", type=int, default=120, help="a batch's time")
    options = parser.parse_args()
    signal.signal(signal.SIGTERM, signal.default_int_handler)
    book = warm_book(options.symbols)
    scan = Scan({}, SOURCE, Known.of(list(book.instruments)))
    with ExitStack() as stack:
        home = stack.enter_context(embedded.temporary_home())
        os.environ["PGPASSFILE"] = str(home.pgpass)
        server = stack.enter_context(embedded.running_postgres(home, is_durable=True))
        database = embedded.fresh_database(server, home.pgpass)
        connection = psycopg2.connect(database.writer, cursor_factory=TimedCursor)
        writer = Writer(connection, SOURCE)
        writer.prepare()
        rows = []
        for number in range(options.batches):
            values = records(number, options.rate, options.symbols, options.every_ms)
            tasks: list[pa.RecordBatch] = []
            for partition, mine in enumerate(values):
                tasks += list(scan(iter([arrow(mine, partition)])))
            scanned = read_scan(pa.Table.from_batches(tasks, PARTIALS), book.instruments, SOURCE)
            changes = book.apply(scanned.batch)
            if number == 0:  # all of the history gets its indicators: not a batch as others are
                book.published()
                continue
            started = time.perf_counter()
            with connection.cursor() as cursor:
                writer.write(cursor, changes, scanned, {}, 0)
            committing = time.perf_counter()
            connection.commit()
            TOOK["COMMIT"].append((time.perf_counter() - committing) * 1e3)
            TOOK["all, with encoding"].append((time.perf_counter() - started) * 1e3)
            book.published()
            rows.append(len(changes.series))
        for name, times in TOOK.items():
            warm = np.array(times[len(times) // 4 :])
            print(f"{name}: p50 {np.percentile(warm, 50):.1f} ms, p99 {np.percentile(warm, 99):.1f} ms")
        print(f"rows a batch: median {np.median(rows):.0f}")
        with connection.cursor() as cursor:
            cursor.execute(
                "SELECT relname, n_tup_ins, n_tup_upd, n_tup_hot_upd FROM pg_stat_user_tables WHERE n_tup_upd > 0"
            )
            for line in cursor.fetchall():
                print(*line)
        connection.close()


if __name__ == "__main__":
    main()
