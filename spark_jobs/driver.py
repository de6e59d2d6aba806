"""The driver's side of the stream: one batch after another into PostgreSQL, exactly once.

The book may run ahead of the database inside a batch. It is dropped and read anew after any error and after a COMMIT whose outcome
is unknown; then the ledger tells whether the batch was written.
"""

import gc
import os
import socket
import threading
import time
from collections.abc import Callable

import psycopg2
import pyarrow as pa
import pyarrow.compute as pc
import structlog
from psycopg2.extensions import connection as Connection
from pyspark.sql import DataFrame

from market.batches import Changes
from market.book import Book
from market.errors import Reason
from market.topics import DAY_MS
from spark_jobs import chosen_history, kill_points, ledger, rebuild, topics
from spark_jobs import health as metrics
from spark_jobs.batch import Scanned, read_scan
from spark_jobs.bounds import Bounds
from spark_jobs.columns import TOPIC_NAMES
from spark_jobs.health import Health
from spark_jobs.kill_points import AT_COMMIT, Point
from spark_jobs.known import Known
from spark_jobs.originals import from_log, restore
from spark_jobs.partials import PACKED_DDL, PARTIALS, unpack
from spark_jobs.reader import Reader, read_instruments, read_latest, read_written_from
from spark_jobs.scan import Scan
from spark_jobs.settings import Settings
from spark_jobs.splits import read_splits
from spark_jobs.strangers import Strangers
from spark_jobs.writer import Writer

AWAY = (psycopg2.OperationalError, psycopg2.InterfaceError)
FIRST_RETRY_S, LAST_RETRY_S = 0.25, 10.0
# What claims to happen later than this from now is refused; partitions are made further ahead.
HORIZON_MS = 2 * DAY_MS


class Stopped(Exception):
    """The stream was told to stop while it waited."""


class Steps:
    """How long each step of a batch took, in seconds."""

    def __init__(self) -> None:
        self.began = self._at = time.monotonic()
        self.seconds: dict[str, float] = {}

    def end(self, step: str) -> None:
        now = time.monotonic()
        self.seconds[step] = self.seconds.get(step, 0.0) + now - self._at
        self._at = now


class Driver:
    """Holds the connection, the book and the ledger's positions of one epoch."""

    def __init__(
        self, settings: Settings, health: Health, stop: threading.Event, log: structlog.stdlib.BoundLogger
    ) -> None:
        self.settings = settings
        self.health = health
        self.stop = stop
        self.log = log
        self.failure: Exception | None = None
        self.steps = Steps()
        self.strangers = Strangers(time.monotonic)
        self.epoch = 0
        self.cluster_id = ""
        self.positions: ledger.Positions = {}
        self._fetch = from_log(settings.kafka_bootstrap, lambda code: settings.topic_prefix + str(TOPIC_NAMES[code]))
        self._connection: Connection | None = None
        self._ended_at = time.monotonic()
        self._records_per_s = 0.0
        self._last_records = settings.executors_from  # the first batch may be the whole of an outage

    def open(self) -> None:
        """Claims the query, finds where every partition goes on, and reads what the fold must know."""
        self._connection = self._connect()
        self.epoch = ledger.claim_epoch(self._connection, f"{socket.gethostname()}:{os.getpid()}")
        log = topics.read_log(self.settings.kafka_bootstrap, self.settings.topic_prefix)
        self.cluster_id = log.cluster_id
        self.positions, lost = topics.recover(self._connection, log, self.epoch)
        for sentence in lost:
            metrics.LOST_RANGES.inc()
            self.log.error("range_lost", detail=sentence)
        self._load()
        rebuild.store_sessions(self._connection, self.book.instruments.values())
        if rebuild.recompute_if_kernel_changed(self._connection, self.book, self.writer, self.log):
            self._load()
        if chosen_history.bring_up_to_date(self._connection, self.book, self.writer, self.log):
            self._load()
        # What was imported and read stays: a full collection that looks through it would hold a batch up.
        gc.collect()
        gc.freeze()
        self.log.info(
            "ledger", epoch=self.epoch, positions={f"{t}[{p}]": at.next_offset for (t, p), at in self.positions.items()}
        )

    def handle(self, frame: DataFrame, batch_id: int) -> None:
        """foreachBatch's function: scan, fold, commit; then a rest if the market is quiet."""
        steps = self.steps = Steps()
        try:
            scanned = self._scan(frame)
            self._commit(scanned)
        except Exception as error:
            self.failure = error
            raise
        records = self._last_records = sum(part.records for part in scanned.ranges)
        for step, seconds in steps.seconds.items():
            metrics.BATCH_SECONDS.labels(step).observe(seconds)
        metrics.COMMITTED_AT.set_to_current_time()
        self.health.committed(records, time.time())
        self.log.debug(
            "batch",
            batch=batch_id,
            records=records,
            committed_ns=time.time_ns(),
            between_s=round(steps.began - self._ended_at, 4),
            **{f"{step}_s": round(seconds, 4) for step, seconds in steps.seconds.items()},
            ranges=[(part.topic, part.partition, part.first, part.last) for part in scanned.ranges],
        )
        self._rest(records)

    def close(self) -> None:
        if self._connection is not None:
            self._connection.close()

    def _connect(self) -> Connection:
        connection = psycopg2.connect(
            self.settings.database_url, application_name="candlestream stream", connect_timeout=5
        )
        self.writer = Writer(connection, self.settings.source, self.settings.chosen)
        self.writer.prepare()
        return connection

    def _load(self) -> None:
        """A fresh book, as the database has it."""
        assert self._connection is not None  # noqa: S101  (open() and _reconnect() connect first)
        with self._connection:
            instruments = read_instruments(self._connection)
            chosen = self.settings.chosen
            self.book = Book(Reader(self._connection, instruments, chosen), instruments, chosen)
            self.book.know_splits(read_splits(self._connection))
            self.book.know_latest(read_latest(self._connection, instruments))
            self.book.clock_ms = {p: at.clock_ms for (_, p), at in self.positions.items() if at.clock_ms}
            rebuild.wake(self.book, self._connection)
            self._from_ms = read_written_from(self._connection)
        self._known = Known.of(list(self.book.instruments))

    def _scan(self, frame: DataFrame) -> Scanned:
        """One pass over the batch's records; a second one where it met symbols that became known meanwhile."""
        while True:
            begin = {place: at.next_offset for place, at in self.positions.items()}
            bounds = Bounds(self._from_ms, time.time_ns() // 1_000_000 + HORIZON_MS, self.settings.max_jump)
            scan = Scan(begin, self.settings.source, self._known, bounds)
            kill_points.reached(Point.BEFORE_SCAN)
            partials = self._partials(frame, scan)
            kill_points.reached(Point.AFTER_PARTIALS)
            self.steps.end("scan")
            if pc.any(pc.equal(partials["row"], "below")).as_py():
                raise ledger.LedgerMoved("the batch has records below the ledger: the log is not what it was")
            scanned = read_scan(partials, self.book.instruments, self.settings.source)
            self.steps.end("read")
            unknown = {row["symbol"] for row in scanned.rejects if row["reason"] == Reason.UNKNOWN_SYMBOL}
            if not unknown or not self._meet(unknown):
                restore(scanned.rejects, self._fetch)
                return scanned

    def _partials(self, frame: DataFrame, scan: Scan) -> pa.Table:
        """What the scan gives, run by the executors or here, by how large the last batch was.

        A batch of a few hundred records costs more on its way through Spark's Python workers than its decoding does.
        """
        if self._last_records < self.settings.executors_from:
            return pa.Table.from_batches(scan(frame.toArrow().to_batches()), PARTIALS)
        return unpack(frame.mapInArrow(scan.packed, PACKED_DDL).toArrow())

    def _meet(self, symbols: set[object]) -> bool:
        """Reads the instruments again, unless that was done just now; whether any of the symbols is known now."""
        if not self.strangers.are_worth_asking(symbols):
            return False

        def read() -> bool:
            assert self._connection is not None  # noqa: S101
            has_sessions = {instrument.calendar for instrument in self.book.instruments.values()}
            with self._connection:
                self.book.instruments.update(read_instruments(self._connection))
            self._known = Known.of(list(self.book.instruments))
            new = [i for i in self.book.instruments.values() if i.calendar not in has_sessions]
            rebuild.store_sessions(self._connection, new)
            self.strangers.asked(symbols - self.book.instruments.keys())
            return not symbols.isdisjoint(self.book.instruments)

        return self._patiently(read, lambda: False)

    def _commit(self, scanned: Scanned) -> None:
        """The batch's transaction, tried until its outcome is known."""
        end = {(part.topic, part.partition): part.last + 1 for part in scanned.ranges}
        if not end.keys() <= self.positions.keys():
            raise ledger.LedgerMoved("a topic has more partitions than when the stream began")

        def attempt() -> bool:
            self._write(scanned)
            return True

        def is_written() -> bool:
            stands = {place: self.positions[place].next_offset for place in end}
            if stands == end:
                return True
            if any(part.first < stands[part.topic, part.partition] for part in scanned.ranges):
                raise ledger.LedgerMoved(f"the batch ends at {end}, the ledger stands at {stands}")
            return False

        self._patiently(attempt, is_written)

    def _write(self, scanned: Scanned) -> None:
        assert self._connection is not None  # noqa: S101
        with self._connection, self._connection.cursor() as cursor:
            changes: Changes = self.book.apply(scanned.batch)
            self.steps.end("fold")
            self.writer.write(cursor, changes, scanned, self.positions, time.time_ns() // 1_000_000)
            steps = self._steps(scanned)
            for part in scanned.ranges:
                at = self.positions[part.topic, part.partition]
                if part.first > at.next_offset:
                    self.log.error(
                        "range_lost", topic=at.topic, partition=part.partition, offset=at.next_offset, until=part.first
                    )
                    metrics.LOST_RANGES.inc()
                    topics.open_gap(
                        cursor, at.topic, "log_truncated", f"offsets {at.next_offset} to {part.first - 1} were gone"
                    )
            # Readers ask as of a time by when what closed or changed a bar was committed (`v1.bars_as_of`).
            began_at = ledger.began_at(cursor) if changes.series.rows["closed"].any() else None
            kill_points.reached(Point.IN_TRANSACTION)
            ledger.advance(cursor, self.cluster_id, self.epoch, steps)
            self.steps.end("write")
            kill_points.reached(*AT_COMMIT, connection=self._connection)
        kill_points.reached(Point.AFTER_COMMIT)
        self.steps.end("commit")
        for place, step in zip(((part.topic, part.partition) for part in scanned.ranges), steps, strict=True):
            at = self.positions[place]
            at.next_offset, at.clock_ms, at.clock_since_ms = step.next_offset, step.clock_ms, step.clock_since_ms
        self.book.published()
        if began_at is not None:
            ledger.note_commit(self._connection, began_at)
        for part in scanned.ranges:
            metrics.RECORDS.labels(self.positions[part.topic, part.partition].topic).inc(part.records)
        for row in scanned.rejects:
            metrics.REJECTED.labels(str(row["reason"])).inc()

    def _steps(self, scanned: Scanned) -> list[ledger.Advance]:
        steps = []
        for part in scanned.ranges:
            at = self.positions[part.topic, part.partition]
            told = scanned.batch.clocks.get(part.partition, (0, 0)) if part.topic == topics.EVENTS_CODE else (0, 0)
            clock_ms, since_ms = max(told, (at.clock_ms, at.clock_since_ms))
            steps.append(ledger.Advance(part.partition, at, part.last + 1, clock_ms, since_ms))
        return steps

    def _patiently(self, attempt: Callable[[], bool], is_done: Callable[[], bool]) -> bool:
        """Tries until the database answers; after each failure everything is read anew and `is_done` asked.

        Raises `Stopped` when told to stop while waiting, `Fenced` and `LedgerMoved` as they come.
        """
        wait_s = FIRST_RETRY_S
        while True:
            try:
                return attempt()
            except AWAY as error:
                metrics.RETRIES.inc()
                self.health.say("waiting", "the database is away; nothing is lost, the stream goes on when it is back")
                self.log.warning("database_away", error=str(error).strip(), retry_s=wait_s)
            while True:
                if self.stop.wait(wait_s):
                    raise Stopped
                wait_s = min(wait_s * 2, LAST_RETRY_S)
                try:
                    self._reconnect()
                    break
                except AWAY as error:
                    self.log.warning("database_away", error=str(error).strip(), retry_s=wait_s)
            if is_done():
                return True

    def _reconnect(self) -> None:
        """A new connection, the ledger as it stands, a fresh book."""
        self.close()
        self._connection = self._connect()
        with self._connection, self._connection.cursor() as cursor:
            ledger.check_epoch(cursor, self.epoch)
            stands = ledger.read_positions(cursor, self.cluster_id)
        for (topic, partition), at in self.positions.items():
            known = stands.get((at.topic_id, partition))
            if known is None:
                raise ledger.LedgerMoved(f"the ledger has no row for {at.topic}[{partition}]")
            if known.next_offset < at.next_offset:
                went_back = f"{at.topic}[{partition}] stood at {at.next_offset} and now stands at {known.next_offset}"
                raise ledger.LedgerMoved(f"an older database: {went_back}")
            self.positions[topic, partition] = known
        self._load()

    def _rest(self, records: int) -> None:
        """A quiet market is looked at about once a second; a busy one as fast as it goes."""
        cycle_s = time.monotonic() - self._ended_at
        # Smoothed over a second: the fewer records a short cycle has, the less they say.
        self._records_per_s += (records / cycle_s - self._records_per_s) * min(1.0, cycle_s)
        if self._records_per_s < self.settings.quiet_records_per_s:
            self.stop.wait(max(0.0, self.settings.quiet_cycle_s - cycle_s))
        self._ended_at = time.monotonic()
