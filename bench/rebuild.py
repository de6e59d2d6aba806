"""How long an edit of the kernel keeps a start busy: every stored indicator computed and written again.

    python -m bench.rebuild [--symbols 5] [--minutes 43200]

The history is folded and written as a backfill is, then all values are spoiled; timed are a start and the recomputation.
"""

import argparse
import os
import signal
import time
from contextlib import ExitStack

import numpy as np
import psycopg2
import structlog

from bench.walks import complete_bars
from market.batches import Batch, Instrument
from market.book import Book
from market.recompute import warm_up
from market.timeframes import DAY_MS, MINUTE_MS
from spark_jobs.database import ledger
from spark_jobs.database.reader import Reader
from spark_jobs.database.writer import Writer
from spark_jobs.start import rebuild
from tests import embedded

T0_MS = 1_795_012_200_000 // DAY_MS * DAY_MS  # 2026-11-18, midnight
AT_ONCE = 2_000  # minutes of each symbol


def backfill(names: list[str], first: int, count: int) -> Batch:
    """Complete minutes of all symbols."""
    starts = T0_MS - 30 * DAY_MS + (first + np.arange(count)) * MINUTE_MS
    bars = complete_bars(names, "1m", starts, starts + MINUTE_MS, first, T0_MS)
    return Batch(provider=[bars], clocks={0: (int(starts[-1]) + MINUTE_MS, 0)})


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--symbols", type=int, default=5)
    parser.add_argument("--minutes", type=int, default=43_200)
    options = parser.parse_args()
    signal.signal(signal.SIGTERM, signal.default_int_handler)
    warm_up()
    names = [f"S{k:04d}" for k in range(options.symbols)]
    instruments = {name: Instrument(name, "24/7", 2, True) for name in names}
    with ExitStack() as stack:
        home = stack.enter_context(embedded.temporary_home())
        os.environ["PGPASSFILE"] = str(home.pgpass)
        server = stack.enter_context(embedded.running_postgres(home, is_durable=True))
        database = embedded.fresh_database(server, home.pgpass)
        connection = psycopg2.connect(database.writer)
        writer = Writer(connection, "simulator")
        writer.prepare()
        ledger.claim_epoch(connection, "bench")
        book, written, started = Book(Reader(connection, instruments), instruments), 0, time.monotonic()
        for first in range(0, options.minutes, AT_ONCE):
            with connection, connection.cursor() as cursor:
                changes = book.apply(backfill(names, first, AT_ONCE))
                writer.write_series(cursor, changes.series)
            book.published()
            written += len(changes.series)
        print(f"folded and written: {written} rows in {time.monotonic() - started:.1f} s")
        with connection, connection.cursor() as cursor:
            cursor.execute("UPDATE core.indicators SET change = change + 1, sma_5 = sma_5 + 1")
            print(f"{cursor.rowcount} rows spoiled")
        with psycopg2.connect(database.admin) as admin, admin.cursor() as cursor:
            cursor.execute("ANALYZE core.bars, core.indicators")
        started = time.monotonic()
        book = Book(Reader(connection, instruments), instruments)
        with connection:
            rebuild.wake(book, connection)
        print(f"a start reads {len(book.memory.keys)} series back in {time.monotonic() - started:.2f} s")
        started = time.monotonic()
        rebuild.recompute_if_kernel_changed(connection, book, writer, structlog.get_logger())
        print(f"recomputed in {time.monotonic() - started:.1f} s")
        connection.close()


if __name__ == "__main__":
    main()
