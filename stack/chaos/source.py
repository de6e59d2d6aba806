"""The feed on its way into Kafka: each record once in the log, however often the broker is killed."""

import threading
from dataclasses import dataclass, field

from confluent_kafka import KafkaError, Message, Producer

from market.timeframes import MINUTE_MS
from market.topics import EVENTS, TOPICS
from stack.chaos.feed import Feed, Sent

FLUSH_LIMIT_S = 60.0
BURST = 50  # records between two rests
BY_KEY = -1  # librdkafka's word for a partition that the partitioner finds

Place = tuple[str, int]  # topic without prefix, partition


@dataclass(slots=True)
class Source:
    """A thread that sends a minute of the market every `pace_s` seconds until it is stopped."""

    feed: Feed
    bootstrap: str
    prefix: str
    pace_s: float
    # The offset after the last acknowledged record, by place.
    ends: dict[Place, int] = field(default_factory=dict)
    minutes: int = 0
    records: int = 0
    failed: list[str] = field(default_factory=list)
    _stop: threading.Event = field(default_factory=threading.Event)
    _producer: Producer = field(init=False)
    _thread: threading.Thread = field(init=False)

    def __post_init__(self) -> None:
        self._thread = threading.Thread(target=self._run, name="chaos feed", daemon=True)
        self._producer = Producer(
            {
                "bootstrap.servers": self.bootstrap,
                "partitioner": "murmur2_random",
                # A record that was acknowledged too late is not written again.
                "enable.idempotence": True,
                "linger.ms": 5,
                "delivery.timeout.ms": 300_000,
                "reconnect.backoff.max.ms": 500,
                "log_level": 0,
            }
        )

    def start(self) -> None:
        self._thread.start()

    def finish(self) -> None:
        """Ends the feed, if it was not ended; returns when all is acknowledged."""
        self._stop.set()
        self._thread.join(FLUSH_LIMIT_S)
        self._flush()

    def clock(self, minutes: int) -> None:
        """After the feed: the clock of so many minutes after its end."""
        self._send(self.feed.clock(self.feed.start_ms + (self.minutes + minutes) * MINUTE_MS))
        self._flush()

    def _run(self) -> None:
        while not self._stop.is_set():
            sent = list(self.feed.minute(self.minutes))
            for k, one in enumerate(sent):
                self._send(one)
                if k % BURST == 0:
                    self._stop.wait(self.pace_s * BURST / len(sent))
            self.minutes += 1

    def _flush(self) -> None:
        if self._thread.is_alive() or self._producer.flush(FLUSH_LIMIT_S):
            self.failed.append("the broker did not take everything")

    def _send(self, sent: Sent) -> None:
        name = sent.topic.full_name(self.prefix)
        for partition in range(EVENTS.partitions) if sent.is_clock else (BY_KEY,):
            while True:
                try:
                    self._producer.produce(name, sent.value, sent.key.encode(), partition, on_delivery=self._delivered)
                    break
                except BufferError:
                    self._producer.poll(0.1)
            self._producer.poll(0)
            self.records += 1

    def _delivered(self, error: KafkaError | None, message: Message) -> None:
        topic, partition, offset = message.topic(), message.partition(), message.offset()
        if error or partition is None or offset is None:
            self.failed.append(str(error))
            return
        name = next(known.name for known in TOPICS if known.full_name(self.prefix) == topic)
        self.ends[name, partition] = max(self.ends.get((name, partition), 0), offset + 1)
