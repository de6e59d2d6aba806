"""What the stream says of itself: its row in `core.service_status`, and Prometheus metrics.

The heartbeat's connection also holds the query's advisory lock, so that a second driver is told to stop the first one instead
of fencing it out by accident; it makes the coming months' partitions, too.
"""

import contextlib
import threading
import time
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta

import psycopg2
import structlog
from prometheus_client import Counter, Gauge, Histogram

from spark_jobs.database.ledger import QUERY, Fenced

BEAT_S = 2.0
PARTITIONS_EVERY_S = 3600.0
MONTHS_BEHIND = timedelta(days=62)
MONTHS_AHEAD = timedelta(days=93)
LOCK_PATIENCE_S = 5.0

RECORDS = Counter("candlestream_stream_records_total", "Kafka records read and committed", ["topic"])
REJECTED = Counter("candlestream_stream_rejected_total", "Records that became dead letters", ["reason"])
BATCH_SECONDS = Histogram(
    "candlestream_stream_batch_seconds",
    "Time of a batch by step",
    ["step"],
    buckets=(0.005, 0.01, 0.02, 0.04, 0.08, 0.16, 0.32, 0.64, 1.28, 2.56, 5.12, 10.24),
)
COMMITTED_AT = Gauge("candlestream_stream_committed_timestamp_seconds", "Time of the last commit")
LOST_RANGES = Counter("candlestream_stream_lost_ranges_total", "Ranges of the log that were gone before they were read")
RECOMPUTATIONS = Gauge(
    "candlestream_stream_recomputations", "Series whose indicators are recomputed after a correction of older sessions"
)
RETRIES = Counter("candlestream_stream_retries_total", "Batches tried again after the database was away")


@dataclass(slots=True)
class Health:
    """What the driver tells the heartbeat; one writer, one reader."""

    state: str = "starting"
    detail: str = "the stream is starting"
    committed_at: float | None = None
    records: int = 0
    fenced: threading.Event = field(default_factory=threading.Event)

    def say(self, state: str, detail: str) -> None:
        self.state, self.detail = state, detail

    def committed(self, records: int, at: float) -> None:
        self.committed_at = at
        self.records += records
        self.say("ok", f"{self.records} records committed since the start")


class Heartbeat(threading.Thread):
    """Writes the row every two seconds on a connection of its own."""

    def __init__(self, database_url: str, health: Health, log: structlog.stdlib.BoundLogger) -> None:
        super().__init__(name="heartbeat", daemon=True)
        self.database_url = database_url
        self.health = health
        self.log = log
        self.ended = threading.Event()
        self._connection: psycopg2.extensions.connection | None = None
        self._partitions_at = float("-inf")

    def take_lock(self, patience_s: float = LOCK_PATIENCE_S) -> None:
        """Raises `Fenced` when another driver runs the query; a driver that was just killed lets go within a moment."""
        limit = time.monotonic() + patience_s
        while not self._connect():
            if time.monotonic() > limit:
                raise Fenced("another driver runs this query: stop it first (./candlestream stop spark)")
            time.sleep(0.2)

    def run(self) -> None:
        while not self.ended.wait(BEAT_S):
            try:
                if self._connection is None:
                    self.take_lock()
                self.beat()
            except Fenced as error:
                self.log.error("fenced", detail=str(error))
                self.health.fenced.set()
                return
            except psycopg2.Error as error:
                self.log.warning("heartbeat_missed", error=str(error).strip())
                self._drop()

    def stop(self) -> None:
        self.ended.set()
        self.join(BEAT_S * 2)
        if self._connection is not None:
            self.health.say("stopped", "the stream was stopped")
            try:
                self.beat()
                self._connection.close()
            except psycopg2.Error as error:
                self.log.warning("heartbeat_missed", error=str(error).strip())

    def beat(self) -> None:
        assert self._connection is not None  # noqa: S101  (run() connects first)
        now = time.monotonic()
        with self._connection, self._connection.cursor() as cursor:
            cursor.execute(
                """INSERT INTO core.service_status (name, state, detail) VALUES ('spark', %s, %s)
                   ON CONFLICT (name) DO UPDATE SET state = excluded.state, detail = excluded.detail, heartbeat_at = now()""",
                (self.health.state, self.health.detail),
            )
            if now - self._partitions_at >= PARTITIONS_EVERY_S:
                today = datetime.now(UTC).date()
                cursor.execute("SELECT core.ensure_partitions(%s, %s)", (today - MONTHS_BEHIND, today + MONTHS_AHEAD))
                self._partitions_at = now

    def _drop(self) -> None:
        """Gives the connection up, and with it the lock, which a session that lives on would keep from ourselves."""
        if self._connection is not None:
            with contextlib.suppress(psycopg2.Error):
                self._connection.close()
        self._connection = None

    def _connect(self) -> bool:
        connection = psycopg2.connect(
            self.database_url, application_name="candlestream stream heartbeat", connect_timeout=5
        )
        with connection, connection.cursor() as cursor:
            cursor.execute("SELECT pg_try_advisory_lock(hashtext('candlestream query ' || %s))", (QUERY,))
            row = cursor.fetchone()
        if row is None or not row[0]:
            connection.close()
            return False
        self._connection = connection
        return True
