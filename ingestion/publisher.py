"""To Kafka, in order and once: an idempotent producer with a bounded queue that outlives a broker's restart."""

import logging
import time
from collections.abc import Callable, Iterable

import structlog
from confluent_kafka import Consumer, KafkaError, KafkaException, Message, Producer, TopicPartition

from ingestion import metrics
from ingestion.errors import BrokerAway
from market.contracts import Clock, DeadLetter, Record
from market.topics import DEAD_LETTERS, EVENTS, HISTORY

log = structlog.get_logger()

ENDS_TIMEOUT_S = 10.0

OnDelivery = Callable[[KafkaError | None, Message], None]


def producer_config(bootstrap: str, queue_mb: int, client_id: str) -> dict[str, str | int | bool]:
    return {
        "bootstrap.servers": bootstrap,
        "client.id": client_id,
        "acks": "all",
        "enable.idempotence": True,
        # Java's and librdkafka's default partitioners differ; this one is Java's, for keys of any kind.
        "partitioner": "murmur2_random",
        "linger.ms": 5,
        "compression.type": "lz4",
        # No time limit: a record waits for the broker as long as the process lives, and the queue's size is the bound.
        "message.timeout.ms": 0,
        "queue.buffering.max.kbytes": queue_mb * 1024,
        "queue.buffering.max.messages": 2_000_000,
        "reconnect.backoff.ms": 100,
        "reconnect.backoff.max.ms": 2_000,
        "topic.metadata.refresh.interval.ms": 60_000,
        # Critical only: what it would say each second while the broker is away, `_on_error` says once.
        "log_level": 2,
    }


class Publisher:
    """Sends records to their topics. `send` says False when the queue is full: the caller waits, nothing is dropped."""

    def __init__(self, bootstrap: str, prefix: str, queue_mb: int, client_id: str) -> None:
        self._events = EVENTS.full_name(prefix)
        self._history = HISTORY.full_name(prefix)
        self._dead_letters = DEAD_LETTERS.full_name(prefix)
        self._partitions = EVENTS.partitions
        self.fatal: str | None = None
        self.undelivered = 0
        self.is_broker_away = False
        config = producer_config(bootstrap, queue_mb, client_id)
        self._producer = Producer({**config, "error_cb": self._on_error}, logger=logging.getLogger("librdkafka"))

    def send(self, record: Record) -> bool:
        """An event to the events topic, a dead letter to its own."""
        if isinstance(record, DeadLetter):
            return self._produce(self._dead_letters, record.symbol, record)
        return self._produce(self._events, getattr(record, "symbol", ""), record)

    def send_history(self, record: Record) -> bool:
        """A backfilled record to the history topic."""
        if isinstance(record, DeadLetter):
            return self.send(record)
        return self._produce(self._history, getattr(record, "symbol", ""), record)

    def send_all(self, records: Iterable[Record], history: bool = False) -> int:
        """Blocking: waits where the queue is full. Returns how many were queued; `flush` makes sure of them."""
        sent = 0
        send = self.send_history if history else self.send
        for record in records:
            while not send(record):
                self._producer.poll(0.1)
            sent += 1
        return sent

    def send_placed(self, record: Record, history: bool, note: Callable[[str, int, int], None]) -> None:
        """Blocking: queues a record whose place is wanted. `note` is given topic (without prefix), partition and offset."""
        topic, name = (self._history, HISTORY.name) if history else (self._events, EVENTS.name)

        def on_delivery(error: KafkaError | None, message: Message) -> None:
            self._on_delivery(error, message)
            if error is None:
                note(name, int(message.partition() or 0), int(message.offset() or 0))

        key = getattr(record, "symbol", "").encode()
        while not self._queue(topic, key, record.encode(), -1, on_delivery):
            self._producer.poll(0.1)

    def send_clock(self, clock: Clock) -> bool:
        """The clock to every partition of the events topic, behind everything that was sent before it."""
        payload = clock.encode()
        queued = [self._queue(self._events, b"", payload, partition) for partition in range(self._partitions)]
        return all(queued)

    def refresh_partitions(self) -> None:
        """Learns the events topic's partitions from the broker, if it answers; they only ever grow. Blocks up to 5 s."""
        try:
            topic = self._producer.list_topics(self._events, timeout=5).topics.get(self._events)
        except KafkaException as error:
            log.debug("partitions unknown", error=str(error))
            return
        self._partitions = max(self._partitions, len(topic.partitions) if topic else 0)

    @property
    def waiting(self) -> int:
        """How many records wait for the broker."""
        return len(self._producer)

    def serve(self) -> int:
        """Runs the callbacks that are due, and says how many records wait for the broker."""
        self._producer.poll(0)
        return self.waiting

    def flush(self, timeout_s: float) -> None:
        """Waits until the broker has acknowledged everything. Raises `BrokerAway` with how many it has not."""
        ends_s = time.monotonic() + timeout_s
        waiting = self._producer.flush(timeout_s)
        while waiting and time.monotonic() < ends_s:
            waiting = self._producer.flush(ends_s - time.monotonic())
        lost, self.undelivered = waiting + self.undelivered, 0
        if lost:
            raise BrokerAway(f"Kafka did not acknowledge {lost} records within {timeout_s:.0f} s")

    def _produce(self, topic: str, symbol: str, record: Record) -> bool:
        return self._queue(topic, symbol.encode(), record.encode(), -1)

    def _queue(
        self, topic: str, key: bytes, value: bytes, partition: int, on_delivery: OnDelivery | None = None
    ) -> bool:
        try:
            self._producer.produce(topic, value, key, partition, on_delivery=on_delivery or self._on_delivery)
        except BufferError:
            return False
        return True

    def _on_delivery(self, error: KafkaError | None, message: Message) -> None:
        """With no time limit on delivery, a failure here is one that waiting does not mend."""
        if error is None:
            if self.is_broker_away:
                log.info("kafka is back")
            self.is_broker_away = False
            return
        self.undelivered += 1
        metrics.UNDELIVERED.inc()
        log.error("record not delivered", topic=message.topic(), partition=message.partition(), error=error.str())

    def _on_error(self, error: KafkaError) -> None:
        """The client library tries again by itself; what it says each second is logged once."""
        if error.fatal():
            self.fatal = error.str()
            log.error("kafka", error=error.str())
        if error.code() == KafkaError._ALL_BROKERS_DOWN and not self.is_broker_away:
            self.is_broker_away = True
            log.warning("kafka is away", error=error.str(), waiting=self.waiting)


def log_ends(bootstrap: str, prefix: str) -> dict[tuple[str, int], int]:
    """(topic without prefix, partition) → the offset of the next record. Raises `BrokerAway`."""
    consumer = Consumer({"bootstrap.servers": bootstrap, "group.id": "candlestream-ends", "enable.auto.commit": False})
    try:
        ends = {}
        for topic in (EVENTS, HISTORY):
            name = topic.full_name(prefix)
            found = consumer.list_topics(name, timeout=ENDS_TIMEOUT_S).topics[name]
            for number in found.partitions:
                place = TopicPartition(name, number)
                ends[topic.name, number] = consumer.get_watermark_offsets(place, timeout=ENDS_TIMEOUT_S)[1]
        return ends
    except KafkaException as error:
        raise BrokerAway(f"Kafka does not say how long its log is: {error.args[0].str()}") from error
    finally:
        consumer.close()
