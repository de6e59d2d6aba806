"""What a batch costs the driver in process time, step by step, without Kafka, Spark or PostgreSQL.

    python -m bench.fold [--rate 10000] [--symbols 500] [--batches 400] [--every-ms 120] [--profile]

Each symbol has 256 bars of history in every timeframe; then batches of seeded ticks are decoded and folded as an executor does,
read, folded into the bars and encoded for COPY as the driver does.
"""

import argparse
import cProfile
import pstats
import time
from collections import defaultdict
from collections.abc import Iterator

import numpy as np
import pyarrow as pa

from market import indicators
from market.arena import NEVER_MS
from market.bars import PROVIDER_COMPLETE, Rows, empty_rows
from market.batches import Instrument
from market.book import Book
from market.calendars import session_of
from market.contracts import Clock, Tick
from market.frames import bucket, to_days
from market.memory import FRAMES, Newest, StoredRows
from market.recompute import warm_up
from market.series import SeriesKey
from market.timeframes import TIMEFRAMES
from spark_jobs.batch import read_scan
from spark_jobs.database.columns import copy_bytes, staged, staged_latest
from spark_jobs.scan.known import Known
from spark_jobs.scan.one_pass import EVENTS, Scan
from spark_jobs.scan.partials import PARTIALS

HISTORY_BARS = 256
SOURCE = "simulator"
LOWEST, HIGHEST = 90.0, 110.0  # of the day, as every quote says
T0_MS = 1_795_012_200_000  # 2026-11-18 14:30 UTC


class NoStore:
    """A database that has nothing beyond the history that every series begins with."""

    def __init__(self, history: dict[str, Rows]) -> None:
        self.history = history

    def rows_before(self, key: SeriesKey, ts_ms: int, count: int) -> StoredRows:
        rows = self.history[key.timeframe] if key.session == "regular" else empty_rows(0)
        rows = rows[rows["ts"] < ts_ms]
        states = np.full((len(rows), indicators.N_STATE), np.nan)
        return rows, states, np.full((len(rows), indicators.N_VALUES), np.nan), True

    def rows_before_each(self, keys: list[SeriesKey], ts_ms: list[int], counts: list[int]) -> Iterator[StoredRows]:
        return (self.rows_before(*asked) for asked in zip(keys, ts_ms, counts, strict=True))

    def newest(self, keys: list[SeriesKey], count: int, whole: list[int]) -> Iterator[Newest]:
        for key in keys:
            rows, states, values, is_all = self.rows_before(key, NEVER_MS, count)
            yield Newest([key], np.array([len(rows)]), np.zeros(1, np.int64), rows, states, values, np.array([is_all]))

    def start_after(self, key: SeriesKey, from_ms: int, count: int) -> int | None:
        rows = self.history[key.timeframe]
        position = int(np.searchsorted(rows["ts"], from_ms)) + count
        return int(rows["ts"][position]) if position < len(rows) else None

    def first_sessions(self, keys: list[SeriesKey]) -> list[int | None]:
        return [to_days(session_of("24/7", T0_MS).session_date) - 20] * len(keys)


def history(timeframe: str) -> Rows:
    """Complete bars before T0, oldest first."""
    rows, at_ms = [], T0_MS
    for _ in range(HISTORY_BARS):
        start, end, session = bucket(timeframe, at_ms - 1, session_of("24/7", at_ms - 1), "24/7")
        row = empty_rows(1)
        row["ts"], row["end"], at_ms = start, end, start
        row["session_date"], row["session_open"] = to_days(session.session_date), session.open_ms
        row["volume"], row["origin"], row["closed"], row["final"] = 100.0, PROVIDER_COMPLETE, end <= T0_MS, end <= T0_MS
        for name in ("open", "high", "low", "close"):
            row[name] = 100.0
        rows.append(row)
    return np.concatenate(rows[::-1])


def records(batch: int, rate: int, symbols: int, every_ms: int) -> list[list[bytes]]:
    """The values of two Kafka partitions."""
    random = np.random.default_rng(batch)
    begin_ms, values = T0_MS + batch * every_ms, [[], []]
    for k in range(rate * every_ms // 1000):
        symbol = int(random.integers(symbols))
        ms = begin_ms + k * 1000 // rate
        price = round(100 + float(random.normal()), 2)
        tick = Tick(
            source=SOURCE,
            symbol=f"S{symbol:04d}",
            event_ms=ms,
            fetched_ms=ms,
            price=price,
            day_volume=batch * 10_000 + k,
            day_high=HIGHEST,
            day_low=LOWEST,
        )
        values[symbol % 2].append(tick.encode())
    if begin_ms // 1000 != (begin_ms - every_ms) // 1000:
        clock = Clock(source=SOURCE, event_ms=begin_ms - 1000, fetched_ms=begin_ms, since_ms=0).encode()
        for partition in values:
            partition.append(clock)
    return values


def warm_book(symbols: int) -> Book:
    """A book that has every series of so many symbols in memory."""
    warm_up()
    instruments = {f"S{k:04d}": Instrument(f"S{k:04d}", "24/7", 2, True) for k in range(symbols)}
    book = Book(NoStore({timeframe: history(timeframe) for timeframe in TIMEFRAMES}), instruments)
    book.memory.meet([SeriesKey(name, *frame) for name in instruments for frame in FRAMES])
    return book


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--rate", type=int, default=10_000, help="trades a second")
    parser.add_argument("--symbols", type=int, default=500)
    parser.add_argument("--batches", type=int, default=400)
    parser.add_argument("--every-ms", type=int, default=120, help="a batch's time")
    parser.add_argument("--profile", action="store_true", help="where the driver's time goes, function by function")
    options = parser.parse_args()
    started = time.process_time()
    book = warm_book(options.symbols)
    instruments, names = book.instruments, list(book.instruments)
    print(f"{options.symbols * 9} series loaded in {time.process_time() - started:.2f} s")
    profile, took, written = cProfile.Profile(), defaultdict(list), []
    scan = Scan({}, SOURCE, Known.of(names))
    for number in range(options.batches):
        values = records(number, options.rate, options.symbols, options.every_ms)
        clock = [time.process_time()]
        tasks: list[pa.RecordBatch] = []
        for partition, mine in enumerate(values):
            tasks += list(scan(iter([arrow(mine, partition)])))
        clock.append(time.process_time())
        if options.profile and number > options.batches // 2:
            profile.enable()
        scanned = read_scan(pa.Table.from_batches(tasks, PARTIALS), instruments, SOURCE)
        clock.append(time.process_time())
        changes = book.apply(scanned.batch)
        clock.append(time.process_time())
        encoded = copy_bytes(staged(changes.series, SOURCE)) if len(changes.series) else None
        prices = copy_bytes(staged_latest(changes.latest, SOURCE)) if len(changes.latest) else None
        clock.append(time.process_time())
        book.published()
        clock.append(time.process_time())
        profile.disable()
        written.append(len(changes.series))
        for name, ms in zip(("executors", "read", "fold", "encode", "publish"), np.diff(clock) * 1e3, strict=True):
            took[name].append(ms)
        del encoded, prices
    for name, times in took.items():
        warm = np.array(times[len(times) // 4 :])
        print(
            f"{name}: p50 {np.percentile(warm, 50):.1f} ms, p99 {np.percentile(warm, 99):.1f} ms, max {warm.max():.1f} ms"
        )
    print(f"rows a batch: median {np.median(written):.0f}, p99 {np.percentile(written, 99):.0f}, max {max(written)}")
    if options.profile:
        pstats.Stats(profile).sort_stats("tottime").print_stats(25)


def arrow(values: list[bytes], partition: int) -> pa.RecordBatch:
    count = len(values)
    columns = {
        "topic": pa.repeat(pa.scalar(EVENTS, pa.int32()), count),
        "partition": pa.repeat(pa.scalar(partition, pa.int32()), count),
        "offset": pa.array(range(count), pa.int64()),
        "value": pa.array(values, pa.binary()),
    }
    return pa.RecordBatch.from_pydict(columns)


if __name__ == "__main__":
    main()
