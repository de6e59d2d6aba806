"""How long a restart takes until it is warm: every series read back, and the first batch of all symbols committed.

    python -m bench.warm [--symbols 500] [--bars 400] [--runs 3]

The database is filled with bars of all eight frames of every symbol, indicators and states included. Then the stream is killed and
started again: the book is opened when the driver claims its query, has been read when it says where the ledger stands, and is warm
when the first batch with a trade of every symbol is committed.
"""

import argparse
import calendar
import itertools
import signal
import statistics
import time
from datetime import UTC, date, datetime, timedelta

import numpy as np
import psycopg2
import structlog

from bench.bloat import memory_mb
from bench.kit import ask, end_cleanly, load
from bench.latency import Landed, add_instruments, committed, produce, running_rig, trades
from bench.walks import complete_bars
from market.batches import Batch, Instrument
from market.book import Book
from market.recompute import warm_up
from market.timeframes import TIMEFRAMES
from spark_jobs.database import ledger
from spark_jobs.database.reader import Reader
from spark_jobs.database.writer import Writer
from spark_jobs.start import rebuild
from tests.stream.rig import Rig, until

SYMBOLS_AT_ONCE = 50


def starts(timeframe: str, count: int, before_ms: int) -> list[tuple[int, int]]:
    """(start, end) of the newest bars of a frame that ended before a time, oldest first; around the clock."""
    frame = TIMEFRAMES[timeframe]
    if frame.is_intraday:
        last = before_ms // frame.length_ms * frame.length_ms
        return [(last - k * frame.length_ms, last - (k - 1) * frame.length_ms) for k in range(count, 0, -1)]
    day = datetime.fromtimestamp(before_ms / 1000, UTC).date()
    edges = [day]
    if timeframe == "1w":
        edges = [day - timedelta(days=day.weekday())]
    elif timeframe == "1mo":
        edges = [day.replace(day=1)]
    while len(edges) <= count:
        first = edges[-1]
        if timeframe == "1d":
            edges.append(first - timedelta(days=1))
        elif timeframe == "1w":
            edges.append(first - timedelta(days=7))
        else:
            edges.append((first - timedelta(days=1)).replace(day=1))
    times = [ms_of(edge) for edge in reversed(edges)]
    return list(itertools.pairwise(times))


def ms_of(day: date) -> int:
    return calendar.timegm(day.timetuple()) * 1000


def history(names: list[str], timeframe: str, count: int, before_ms: int) -> Batch:
    """Complete bars of a frame of some symbols."""
    begins, ends = np.array(starts(timeframe, count, before_ms)).T
    return Batch(provider=[complete_bars(names, timeframe, begins, ends, count, before_ms)])


def fill(under_test: Rig, symbols: int, count: int) -> int:
    """Bars, indicators and states as the stream writes them; gives how many rows."""
    names = [f"S{k:04d}" for k in range(symbols)]
    instruments = {name: Instrument(name, "24/7", 2, True) for name in names}
    connection = psycopg2.connect(under_test.database.writer)
    writer, written = Writer(connection, "simulator"), 0
    writer.prepare()
    ledger.claim_epoch(connection, "bench")
    # Of an empty table: the kernel's version is written down, and a start finds nothing to compute again.
    rebuild.recompute_if_kernel_changed(connection, Book(Reader(connection, {}), {}), writer, structlog.get_logger())
    before_ms = int(time.time() * 1000)
    for first in range(0, symbols, SYMBOLS_AT_ONCE):
        book = Book(Reader(connection, instruments), instruments)
        for timeframe in reversed(TIMEFRAMES):
            with connection, connection.cursor() as cursor:
                changes = book.apply(history(names[first : first + SYMBOLS_AT_ONCE], timeframe, count, before_ms))
                writer.write_series(cursor, changes.series)
            book.published()
            written += len(changes.series)
    connection.close()
    ask(under_test.database.admin, "VACUUM ANALYZE core.bars, core.indicators")
    return written


def restart(under_test: Rig, symbols: int) -> dict[str, float]:
    """Seconds of each step of one start, and the memory after it."""
    under_test.log.write_text("")
    before = time.time()
    under_test.start()
    # While it starts the market goes on; the first batches have what came meanwhile.
    landed, source = Landed(), trades(symbols, seed=1)
    produce(under_test, landed, 1_000, source, 1.0)
    until(lambda: under_test.logged("ledger"), "the stream's start")
    produce(under_test, landed, 1_000, source, 2.0)
    under_test.drain()
    [(opened,)] = ask(
        under_test.database.admin, "SELECT extract(epoch FROM started_at)::float8 FROM core.stream_epochs"
    )
    read = datetime.fromisoformat(under_test.logged("ledger")[0]["timestamp"]).timestamp()
    first_offsets: dict[int, int] = {}
    for partition, offset in list(landed.at_ns)[:symbols]:
        first_offsets[partition] = max(first_offsets.get(partition, 0), offset)
    done = {
        partition: min(
            at_ns for at, first, last, at_ns in committed(under_test) if at == partition and first <= offset <= last
        )
        for partition, offset in first_offsets.items()
    }
    warm = max(done.values()) / 1e9
    memory = memory_mb(under_test)
    under_test.signal(signal.SIGKILL)
    return {
        "process to book opened": float(opened) - before,  # type: ignore[arg-type]
        "book opened to read": read - float(opened),  # type: ignore[arg-type]
        "book opened to first batch committed": warm - float(opened),  # type: ignore[arg-type]
        "driver MB": memory.get("driver", 0.0),
        "spark MB": memory.get("spark", 0.0),
    }


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--symbols", type=int, default=500)
    parser.add_argument("--bars", type=int, default=400, help="of each frame and symbol")
    parser.add_argument("--runs", type=int, default=3)
    options = parser.parse_args()
    end_cleanly()
    warm_up()
    with running_rig() as under_test:
        add_instruments(under_test, options.symbols)
        began = time.monotonic()
        written = fill(under_test, options.symbols, options.bars)
        [(stored,)] = ask(under_test.database.admin, "SELECT count(*) FROM core.bars")
        print(f"{stored} bars stored ({written} rows written) in {time.monotonic() - began:.0f} s", flush=True)
        found = []
        for number in range(options.runs):
            found.append(restart(under_test, options.symbols))
            told = "; ".join(f"{name} {value:.2f}" for name, value in found[-1].items())
            print(f"start {number + 1}: {told}", flush=True)
        what = f"{options.symbols} symbols x {len(TIMEFRAMES)} frames x {options.bars} bars"
        print(f"\n{what}, medians of {len(found)}; load average {load()}")
        for name in found[0]:
            print(f"  {name:<40}{statistics.median(run[name] for run in found):>10.2f}")


if __name__ == "__main__":
    main()
