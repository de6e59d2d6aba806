"""The stream's work without Spark and Kafka: scan, fold and transaction of a batch in this process, against a real PostgreSQL.

What an executor does (decode, partial bars) and what the driver does (read, fold, encode, write, ledger, commit) run one after the
other in one thread, so that process time is the work's own however busy the machine is.
"""

import time
from dataclasses import dataclass, field

import psutil
import psycopg2
import pyarrow as pa

from bench.fold import SOURCE, T0_MS, NoStore, arrow, history
from market.batches import Changes, Instrument
from market.book import Book
from market.contracts import Tick
from market.memory import FRAMES
from market.recompute import warm_up
from market.series import SeriesKey
from market.timeframes import TIMEFRAMES
from spark_jobs.batch import Scanned, read_scan
from spark_jobs.database import ledger
from spark_jobs.database.columns import copy_bytes, staged
from spark_jobs.database.writer import Writer
from spark_jobs.scan.known import Known
from spark_jobs.scan.one_pass import EVENTS, Scan
from spark_jobs.scan.partials import PARTIALS
from tests.embedded import Database

CLUSTER, TOPIC_ID, TOPIC, PARTITIONS = "bench", "bench", "market.events.v1", 2


@dataclass(slots=True)
class Spent:
    """Processor seconds so far: of this process by step, and of the PostgreSQL backend that serves it."""

    scan_s: float = 0.0
    fold_s: float = 0.0
    write_s: float = 0.0
    postgres_s: float = 0.0


@dataclass
class Timing:
    """Wall-clock seconds of one transaction: the ledger's statement, and all from its first statement to COMMIT's answer."""

    ledger_s: float = 0.0
    all_s: float = 0.0


@dataclass
class Engine:
    """A book in which every series has `bars` bars, and the connection that its changes are written to.

    Without a database a batch ends with the encoding of its bars.
    """

    database: Database | None
    symbols: int
    bars: int
    spent: Spent = field(default_factory=Spent)

    def __post_init__(self) -> None:
        warm_up()
        names = [f"S{number:04d}" for number in range(self.symbols)]
        self.book = Book(
            NoStore({timeframe: history(timeframe)[-self.bars :] for timeframe in TIMEFRAMES}),
            {name: Instrument(name, "24/7", 2, True) for name in names},
        )
        self.book.memory.meet([SeriesKey(name, *frame) for name in names for frame in FRAMES])
        self.scan = Scan({}, SOURCE, Known.of(names))
        if self.database is not None:
            self._connect(self.database)
        self._give_all_their_indicators()

    def _connect(self, database: Database) -> None:
        self.connection = psycopg2.connect(database.writer)
        self.backend = psutil.Process(self.connection.info.backend_pid)
        self.writer = Writer(self.connection, SOURCE)
        self.writer.prepare()
        self.epoch = ledger.claim_epoch(self.connection, "bench")
        self.positions: ledger.Positions = {
            (EVENTS, partition): ledger.Position(TOPIC_ID, TOPIC, 0) for partition in range(PARTITIONS)
        }
        with self.connection, self.connection.cursor() as cursor:
            for (_, partition), position in self.positions.items():
                ledger.begin_partition(cursor, CLUSTER, self.epoch, partition, position)

    def close(self) -> None:
        if self.database is not None:
            self.connection.close()

    def step(self, values: list[list[bytes]], *, with_ledger: bool = True) -> Timing:
        """One batch: `values` are the records of each partition."""
        began = time.process_time()
        partials = self._scan(values)
        scanned_at = time.process_time()
        scanned = read_scan(partials, self.book.instruments, SOURCE)
        changes = self.book.apply(scanned.batch)
        folded_at, served_s = time.process_time(), self._served_s()
        timing = Timing()
        if self.database is not None:
            timing = self._transaction(changes, scanned, with_ledger=with_ledger)
        elif len(changes.series):
            copy_bytes(staged(changes.series, SOURCE))
        self.book.published()
        self.spent.scan_s += scanned_at - began
        self.spent.fold_s += folded_at - scanned_at
        self.spent.write_s += time.process_time() - folded_at
        self.spent.postgres_s += self._served_s() - served_s
        return timing

    def _transaction(self, changes: Changes, scanned: Scanned, *, with_ledger: bool) -> Timing:
        timing, began = Timing(), time.perf_counter()
        with self.connection, self.connection.cursor() as cursor:
            self.writer.write(cursor, changes, scanned, self.positions, T0_MS)
            if with_ledger:
                ledger_began = time.perf_counter()
                steps = self._steps(scanned)
                ledger.advance(cursor, CLUSTER, self.epoch, steps)
                timing.ledger_s = time.perf_counter() - ledger_began
        timing.all_s = time.perf_counter() - began
        if with_ledger:
            for step in steps:
                step.position.next_offset = step.next_offset
        return timing

    def _steps(self, scanned: Scanned) -> list[ledger.Advance]:
        """Each batch's offsets begin at 0 again here: the ledger moves by as many records instead."""
        return [
            ledger.Advance(part.partition, at, at.next_offset + part.records, *scanned.batch.clocks.get(part.partition, (0, 0)))
            for part in scanned.ranges
            for at in [self.positions[part.topic, part.partition]]
        ]  # fmt: skip

    def _scan(self, values: list[list[bytes]]) -> pa.Table:
        tasks: list[pa.RecordBatch] = []
        for partition, mine in enumerate(values):
            tasks += list(self.scan(iter([arrow(mine, partition)])))
        return pa.Table.from_batches(tasks, PARTIALS)

    def _served_s(self) -> float:
        if self.database is None:
            return 0.0
        times = self.backend.cpu_times()
        return float(times.user + times.system)

    def _give_all_their_indicators(self) -> None:
        """A tick for every symbol, folded and thrown away: a series computes what it has never computed when it first changes."""
        values: list[list[bytes]] = [[] for _ in range(PARTITIONS)]
        for number, name in enumerate(self.book.instruments):
            tick = Tick(source=SOURCE, symbol=name, event_ms=T0_MS, fetched_ms=T0_MS, price=100.0, day_volume=1)
            values[number % PARTITIONS].append(tick.encode())
        self.book.apply(read_scan(self._scan(values), self.book.instruments, SOURCE).batch)
        self.book.published()
