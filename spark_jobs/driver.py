"""The driver's side of the stream: one batch after another into PostgreSQL, exactly once."""

import threading
import time
from concurrent.futures import Future

import pyarrow.compute as pc
import structlog
from psycopg2.extensions import cursor as Cursor
from pyspark.sql import DataFrame, SparkSession

from market.batches import Changes
from market.errors import Reason
from market.past import Past, Recomputation, divide, work_off
from market.topics import DAY_MS
from spark_jobs import health as metrics
from spark_jobs import kill_points, topics
from spark_jobs.batch import Scanned, read_scan
from spark_jobs.database import ledger, recomputations
from spark_jobs.database.columns import TOPIC_NAMES
from spark_jobs.database.reader import read_instruments
from spark_jobs.health import Health
from spark_jobs.held import Held
from spark_jobs.kill_points import AT_COMMIT, Point
from spark_jobs.planned import Planned
from spark_jobs.scan.bounds import Bounds
from spark_jobs.scan.known import Known
from spark_jobs.scan.one_pass import Scan
from spark_jobs.scan.originals import from_log, restore
from spark_jobs.settings import Settings
from spark_jobs.start import rebuild
from spark_jobs.strangers import Strangers

# What claims to happen later than this from now is refused; partitions are made further ahead.
HORIZON_MS = 2 * DAY_MS
# While a backfill goes on, what it leaves to be recomputed gathers: a slice is done so often.
RECOMPUTE_EVERY_S = 5.0
# Whoever stops the stream waits so long for the batch that is at work; the supervisor waits longer before it kills.
LONGEST_BATCH_S = 5.0


class Steps:
    """How long each step of a batch took, in seconds."""

    def __init__(self) -> None:
        self.began = self._at = time.monotonic()
        self.seconds: dict[str, float] = {}

    def end(self, step: str) -> None:
        now = time.monotonic()
        self.seconds[step] = self.seconds.get(step, 0.0) + now - self._at
        self._at = now


class Driver(Held):
    """foreachBatch's side: scans, folds and commits what Spark planned."""

    def __init__(
        self, settings: Settings, health: Health, stop: threading.Event, log: structlog.stdlib.BoundLogger
    ) -> None:
        super().__init__(settings, health, stop, log)
        self.failure: Exception | None = None
        self.steps = Steps()
        self.strangers = Strangers(time.monotonic)
        self._fetch = from_log(settings.kafka, lambda code: settings.topic_prefix + str(TOPIC_NAMES[code]))
        self.planned: Planned | None = None
        self._has_read: Future[None] = Future()
        self._at_work = threading.Lock()
        self._is_wanted = threading.Event()
        self._is_finished = threading.Event()
        self._ended_at = time.monotonic()
        self._records_per_s = 0.0
        self._recomputed_at = self._ended_at

    def claim(self) -> None:
        super().claim()
        self.planned = Planned(self.settings, self.epoch)

    def read(self) -> None:
        """What `handle` waits for: Spark begins its query and plans the first batch meanwhile."""
        try:
            super().read()
        except BaseException as error:
            self._has_read.set_exception(error)
            raise
        self._has_read.set_result(None)

    def close(self) -> None:
        if self.planned is not None:
            self.planned.close()
        self.disconnect()

    def finish(self) -> None:
        """Lets the batch that is at work end, and no other begin: Spark would break it off in the middle of its transaction."""
        self._is_finished.set()
        if self._at_work.acquire(timeout=LONGEST_BATCH_S):
            self._at_work.release()

    def go_on_without_batches(self) -> None:
        """Where nothing comes (a closed market, a feed that is down), what is left to be recomputed does not wait for it."""
        told = (self._is_wanted, self._is_finished, self.stop)
        while self.recomputations and not any(event.is_set() for event in told):
            if not self._at_work.acquire(blocking=False):
                return
            try:
                self._recompute()
            finally:
                self._at_work.release()

    def handle(self, frame: DataFrame, batch_id: int) -> None:
        """foreachBatch's function: scan, fold, commit; then a rest if the market is quiet."""
        self._is_wanted.set()
        with self._at_work:
            self._is_wanted.clear()
            if not self._is_finished.is_set():
                self._handle(frame, batch_id)

    def _handle(self, frame: DataFrame, batch_id: int) -> None:
        try:
            self._has_read.result()
            steps = self.steps = Steps()
            scanned = self._scan(frame.sparkSession)
            has_past = self._commit(scanned)
            records = sum(part.records for part in scanned.ranges)
            self._tell(scanned, records, batch_id, steps)
            if not has_past or time.monotonic() - self._recomputed_at > RECOMPUTE_EVERY_S:
                self._recompute()
            self._rest(records)
        except Exception as error:
            self.failure = error
            raise

    def _tell(self, scanned: Scanned, records: int, batch_id: int, steps: Steps) -> None:
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

    def _scan(self, spark: SparkSession) -> Scanned:
        """One pass over the batch's records; a second one where it met symbols that became known meanwhile."""
        assert self.planned is not None  # noqa: S101  (claim() makes it)
        while True:
            begin = {place: at.next_offset for place, at in self.positions.items()}
            bounds = Bounds(self._from_ms, time.time_ns() // 1_000_000 + HORIZON_MS, self.settings.max_jump)
            scan = Scan(begin, self.settings.source, self._known, bounds)
            kill_points.reached(Point.BEFORE_SCAN)
            partials = self.planned.partials(spark, scan, self.planned.ranges(self.positions))
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

    def _commit(self, scanned: Scanned) -> bool:
        """The batch's transaction, tried until its outcome is known. Gives whether it corrected older sessions."""
        has_past = False
        end = {(part.topic, part.partition): part.last + 1 for part in scanned.ranges}

        def attempt() -> bool:
            nonlocal has_past
            has_past = self._write(scanned)
            return True

        def is_written() -> bool:
            stands = {place: self.positions[place].next_offset for place in end}
            if stands == end:
                return True
            if any(part.first < stands[part.topic, part.partition] for part in scanned.ranges):
                raise ledger.LedgerMoved(f"the batch ends at {end}, the ledger stands at {stands}")
            return False

        self._patiently(attempt, is_written)
        return has_past

    def _write(self, scanned: Scanned) -> bool:
        assert self._connection is not None  # noqa: S101
        with self._connection, self._connection.cursor() as cursor:
            past, batch = divide(self.book, scanned.batch)
            left = self._write_past(cursor, past) if past is not None else []
            changes: Changes = self.book.apply(batch)
            self.steps.end("fold")
            self.writer.write(cursor, changes, scanned, self.positions, time.time_ns() // 1_000_000)
            steps = self._steps(scanned)
            for gone in scanned.lost:
                at = self.positions[gone.topic, gone.partition]
                self.log.error(
                    "range_lost", topic=at.topic, partition=gone.partition, offset=gone.first, until=gone.last + 1
                )
                metrics.LOST_RANGES.inc()
                topics.open_gap(cursor, at.topic, "log_truncated", f"offsets {gone.first} to {gone.last} were gone")
            # Readers ask as of a time by when what closed or changed a bar was committed (`v1.bars_as_of`).
            closes = past is not None or changes.series.rows["closed"].any()
            began_at = ledger.began_at(cursor) if closes else None
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
        for job in left:
            self.recomputations[job.key] = job.joined(self.recomputations.get(job.key, job))
        metrics.RECOMPUTATIONS.set(len(self.recomputations))
        if began_at is not None:
            ledger.note_commit(self._connection, began_at)
        for part in scanned.ranges:
            metrics.RECORDS.labels(self.positions[part.topic, part.partition].topic).inc(part.records)
        for row in scanned.rejects:
            metrics.REJECTED.labels(str(row["reason"])).inc()
        return past is not None

    def _write_past(self, cursor: Cursor, past: Past) -> list[Recomputation]:
        """What the batch has of older sessions, before the live book folds the rest; gives what is left to be recomputed."""
        changes, left = past.fold()
        self.writer.write_past(cursor, changes, time.time_ns() // 1_000_000)
        recomputations.add(cursor, left)
        past.hand_over()
        self.log.info(
            "older_sessions", bars=len(changes.series), recomputations=[" ".join(job.key[:2]) for job in left]
        )
        return left

    def _recompute(self) -> None:
        """A slice of what corrections of older sessions have left to do, in a transaction of its own."""

        def attempt() -> bool:
            if not self.recomputations:
                return True
            assert self._connection is not None  # noqa: S101
            key, job = next(iter(self.recomputations.items()))
            with self._connection, self._connection.cursor() as cursor:
                ledger.check_epoch(cursor, self.epoch)
                changes, rest = work_off(self.book, job)
                self.writer.write_values(cursor, changes)
                recomputations.move(cursor, job, rest)
                kill_points.reached(Point.IN_RECOMPUTATION)
            self.book.published()
            if rest is not None:
                self.recomputations[key] = rest
            else:
                del self.recomputations[key]
                self.log.info("recomputed", symbol=key.symbol, timeframe=key.timeframe)
            metrics.RECOMPUTATIONS.set(len(self.recomputations))
            return True

        self._patiently(attempt, lambda: False)
        self._recomputed_at = time.monotonic()

    def _steps(self, scanned: Scanned) -> list[ledger.Advance]:
        steps = []
        for part in scanned.ranges:
            at = self.positions[part.topic, part.partition]
            told = scanned.batch.clocks.get(part.partition, (0, 0)) if part.topic == topics.EVENTS_CODE else (0, 0)
            clock_ms, since_ms = max(told, (at.clock_ms, at.clock_since_ms))
            steps.append(ledger.Advance(part.partition, at, part.last + 1, clock_ms, since_ms))
        return steps

    def _rest(self, records: int) -> None:
        """A quiet market is looked at about once a second; a busy one as fast as it goes."""
        cycle_s = time.monotonic() - self._ended_at
        # Smoothed over a second: the fewer records a short cycle has, the less they say.
        self._records_per_s += (records / cycle_s - self._records_per_s) * min(1.0, cycle_s)
        if self._records_per_s < self.settings.quiet_records_per_s:
            until = self._ended_at + self.settings.quiet_cycle_s
            while self.recomputations and time.monotonic() < until and not self._is_finished.is_set():
                self._recompute()
            self.stop.wait(max(0.0, until - time.monotonic()))
        self._ended_at = time.monotonic()
