"""A stream under test: the job as a process of its own, with what a test does to it and asks of it."""

import json
import os
import signal
import subprocess
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import psycopg2
from confluent_kafka import Consumer, KafkaException, Producer, TopicPartition

from market.contracts import Clock, Record
from market.topics import EVENTS, TOPICS, Topic
from tests.embedded import Database

REPO = Path(__file__).parents[2]
LIMIT_S = 180.0

ANY_PARTITION = -1  # the partitioner decides


def until(holds: Callable[[], Any], what: str, limit_s: float = LIMIT_S) -> Any:
    """Waits for a condition and gives its value; fails with `what` when it does not come."""
    limit = time.monotonic() + limit_s
    while time.monotonic() < limit:
        value = holds()
        if value:
            return value
        time.sleep(0.1)
    raise AssertionError(f"not within {limit_s:.0f} s: {what}")


@dataclass
class Rig:
    """One platform's stream: its database, its topics, and the job's process while it runs."""

    database: Database
    bootstrap: str
    prefix: str
    environment: dict[str, str]
    log: Path
    process: subprocess.Popen[bytes] | None = None
    producer: Producer = field(init=False)

    def __post_init__(self) -> None:
        self.producer = Producer({"bootstrap.servers": self.bootstrap, "partitioner": "murmur2_random", "linger.ms": 5})

    def start(self) -> None:
        """Starts the job as a user types it, in a process group of its own."""
        with self.log.open("ab") as out:
            self.process = subprocess.Popen(
                ["spark-submit", "spark_jobs/stream.py"],
                cwd=REPO,
                env=self.environment,
                stdout=out,
                stderr=subprocess.STDOUT,
                start_new_session=True,
            )

    def signal(self, number: signal.Signals) -> int:
        """Sends a signal to the driver and its JVM, and waits for their end."""
        assert self.process is not None
        os.killpg(self.process.pid, number)
        code = self.process.wait(60)
        self.process = None
        return code

    def send(self, record: Record | bytes, key: str = "", topic: Topic = EVENTS, partition: int | None = None) -> None:
        value = record if isinstance(record, bytes) else record.encode()
        name = key or getattr(record, "symbol", "")
        place = ANY_PARTITION if partition is None else partition
        self.producer.produce(topic.full_name(self.prefix), value, key=name.encode(), partition=place)

    def clock(self, through_ms: int) -> None:
        """A clock record to every partition of the events topic."""
        for partition in range(EVENTS.partitions):
            clock = Clock(source="simulator", event_ms=through_ms, fetched_ms=through_ms + 1000, since_ms=0)
            self.send(clock, partition=partition)

    def sent(self) -> dict[tuple[str, int], int]:
        """Everything acknowledged; (topic, partition) → end offset."""
        assert self.producer.flush(30) == 0
        consumer = Consumer({"bootstrap.servers": self.bootstrap, "group.id": "rig"})
        places = [(topic, partition) for topic in TOPICS for partition in range(topic.partitions)]

        def ends() -> dict[tuple[str, int], int] | None:
            try:
                return {
                    (topic.name, partition): consumer.get_watermark_offsets(
                        TopicPartition(topic.full_name(self.prefix), partition), timeout=10
                    )[1]
                    for topic, partition in places
                }
            except KafkaException:  # a topic that was just made has no leader for a moment
                return None

        try:
            return until(ends, "the topics' ends", 30)
        finally:
            consumer.close()

    def drain(self, limit_s: float = LIMIT_S) -> None:
        """Waits until the ledger stands at the end of every partition, and nothing is left to be recomputed."""
        ends = self.sent()

        def is_drained() -> bool:
            rows = self.ask("SELECT topic, partition, next_offset FROM v1.stream")
            stands = {(row[0], row[1]): row[2] for row in rows}
            if not all(stands.get(place, 0) >= end for place, end in ends.items() if end):
                return False
            return self.ask("SELECT count(*) FROM v1.recomputations") == [(0,)]

        try:
            until(is_drained, "the ledger at the log's end", limit_s)
        except AssertionError as error:
            raise AssertionError(f"{error}; the job's log ends:\n{self.log.read_text()[-6000:]}") from error

    def ask(self, query: str, parameters: tuple[Any, ...] = ()) -> list[tuple[Any, ...]]:
        connection = psycopg2.connect(self.database.admin)
        try:
            with connection, connection.cursor() as cursor:
                cursor.execute(query, parameters)
                return cursor.fetchall() if cursor.description else []
        finally:
            connection.close()

    def add_instrument(self, symbol: str, calendar: str = "24/7", precision: int = 2) -> None:
        self.ask(
            """INSERT INTO core.instruments (symbol, calendar, timezone, currency, price_precision, state, source)
               VALUES (%s, %s, 'UTC', 'USD', %s, 'ok', 'simulator')""",
            (symbol, calendar, precision),
        )

    def logged(self, event: str) -> list[dict[str, Any]]:
        """The job's own log lines with this event."""
        lines = [line for line in self.log.read_text().splitlines() if line.startswith("{") and '"event"' in line]
        return [entry for entry in map(json.loads, lines) if entry.get("event") == event]


@contextmanager
def rig(database: Database, bootstrap: str, prefix: str, spark_env: dict[str, str]) -> Iterator[Rig]:
    """A rig whose process ends with it."""
    with tempfile.TemporaryDirectory(prefix="candlestream-rig-") as folder:
        environment = spark_env | {
            "CANDLESTREAM_HOME": folder,
            "CANDLESTREAM_DATABASE_URL": database.writer,
            "CANDLESTREAM_KAFKA_BOOTSTRAP": bootstrap,
            "CANDLESTREAM_TOPIC_PREFIX": prefix,
        }
        under_test = Rig(database, bootstrap, prefix, environment, Path(folder) / "stream.log")
        try:
            yield under_test
        finally:
            if under_test.process is not None:
                under_test.signal(signal.SIGKILL)
