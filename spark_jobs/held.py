"""What the stream holds of the database: its connection, the ledger's positions of one epoch, and the book as the database has it.

The book may run ahead of the database inside a batch. It is dropped and read anew after any error and after a COMMIT whose outcome
is unknown; then the ledger tells whether the batch was written.
"""

import gc
import os
import socket
import threading
from collections.abc import Callable

import psycopg2
import structlog
from psycopg2.extensions import connection as Connection

from market.book import Book
from spark_jobs import health as metrics
from spark_jobs import topics
from spark_jobs.database import ledger, recomputations
from spark_jobs.database.reader import Reader, read_instruments, read_latest, read_written_from
from spark_jobs.database.splits import read_splits
from spark_jobs.database.two_readers import TwoReaders
from spark_jobs.database.writer import Writer
from spark_jobs.health import Health
from spark_jobs.scan.known import Known
from spark_jobs.settings import Settings
from spark_jobs.start import chosen_history, rebuild

AWAY = (psycopg2.OperationalError, psycopg2.InterfaceError)
FIRST_RETRY_S, LAST_RETRY_S = 0.25, 10.0


class Stopped(Exception):
    """The stream was told to stop while it waited."""


class Held:
    """Holds the connection, the book and the ledger's positions of one epoch."""

    def __init__(
        self, settings: Settings, health: Health, stop: threading.Event, log: structlog.stdlib.BoundLogger
    ) -> None:
        self.settings = settings
        self.health = health
        self.stop = stop
        self.log = log
        self.epoch = 0
        self.cluster_id = ""
        self.positions: ledger.Positions = {}
        self.recomputations: recomputations.Queue = {}
        self._connection: Connection | None = None

    def claim(self) -> None:
        """Claims the query and finds where every partition goes on."""
        self._connection = self._connect()
        self.epoch = ledger.claim_epoch(self._connection, f"{socket.gethostname()}:{os.getpid()}")
        log = topics.read_log(self.settings.kafka, self.settings.topic_prefix)
        self.cluster_id = log.cluster_id
        self.positions, lost = topics.recover(self._connection, log, self.epoch)
        for sentence in lost:
            metrics.LOST_RANGES.inc()
            self.log.error("range_lost", detail=sentence)

    def read(self) -> None:
        """Reads what the fold must know, and brings up to date what an older kernel or another choice has left."""
        self._load()
        assert self._connection is not None  # noqa: S101  (claim() connects)
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

    def disconnect(self) -> None:
        if self._connection is not None:
            self._connection.close()

    def _connect(self) -> Connection:
        connection = self._bare_connection()
        self.writer = Writer(connection, self.settings.source, self.settings.chosen)
        self.writer.prepare()
        return connection

    def _bare_connection(self) -> Connection:
        return psycopg2.connect(self.settings.database_url, application_name="candlestream stream", connect_timeout=5)

    def _load(self) -> None:
        """A fresh book, as the database has it."""
        assert self._connection is not None  # noqa: S101  (claim() and _reconnect() connect first)
        with self._connection:
            instruments = read_instruments(self._connection)
            chosen = self.settings.chosen
            reader = TwoReaders(self._connection, instruments, chosen, self._bare_connection)
            self.book = Book(reader, instruments, chosen)
            self.book.know_splits(read_splits(self._connection))
            self.book.know_latest(read_latest(self._connection, instruments))
            self.book.clock_ms = {p: at.clock_ms for (_, p), at in self.positions.items() if at.clock_ms}
            rebuild.wake(self.book, self._connection)
            # From here on what is read may have been written by the same transaction: another connection does not see it.
            self.book.memory.stored = Reader(self._connection, instruments, chosen)
            self.recomputations = recomputations.read(self._connection)
            self._from_ms = read_written_from(self._connection)
        self._known = Known.of(list(self.book.instruments))

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
        self.disconnect()
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
