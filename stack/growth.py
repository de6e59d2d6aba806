"""More partitions for a topic, by a drain (docs/scaling.md): a symbol's records then come in another partition."""

import time
from collections.abc import Callable, Mapping

import psycopg2
from confluent_kafka import Consumer, TopicPartition
from confluent_kafka.admin import AdminClient, NewPartitions
from rich.console import Console

from market.topics import TOPICS, Topic
from stack.errors import Exit, StackError
from stack.platform import Platform
from stack.supervision.service_orders import order
from stack.topic_tail import full_name

WRITERS = ("ingestion", "airflow")
DRAIN_LIMIT_S = 300.0
KNOWN_LIMIT_S = 10.0

Place = tuple[str, int]  # topic without prefix, partition


def ends(bootstrap: str, prefix: str, topic: Topic) -> dict[Place, int]:
    """The offset of the next record, by partition."""
    name = topic.full_name(prefix)
    consumer = Consumer({"bootstrap.servers": bootstrap, "group.id": "growth", "enable.auto.commit": False})
    try:
        partitions = consumer.list_topics(name, timeout=10).topics[name].partitions
        places = [TopicPartition(name, number) for number in partitions]
        return {(topic.name, p.partition): consumer.get_watermark_offsets(p, timeout=10)[1] for p in places}
    finally:
        consumer.close()


def stands(platform: Platform) -> dict[Place, int]:
    """The stream's ledger; of a topic that was made anew the row that moved last."""
    connection = psycopg2.connect(**platform.reader_dsn)
    with connection, connection.cursor() as cursor:
        cursor.execute(
            """SELECT DISTINCT ON (topic, partition) topic, partition, next_offset FROM v1.stream
               ORDER BY topic, partition, updated_at DESC"""
        )
        found = {(topic, partition): offset for topic, partition, offset in cursor.fetchall()}
    connection.close()
    return found


def is_drained(log: Mapping[Place, int], ledger: Mapping[Place, int]) -> bool:
    return all(ledger.get(place, 0) >= end for place, end in log.items())


def wait_until_drained(bootstrap: str, prefix: str, topic: Topic, ledger: Callable[[], Mapping[Place, int]]) -> None:
    limit = time.monotonic() + DRAIN_LIMIT_S
    while not is_drained(ends(bootstrap, prefix, topic), ledger()):
        if time.monotonic() > limit:
            sentence = f"{topic.name} is not drained after {DRAIN_LIMIT_S:.0f} s: something still writes, or the stream is not well"
            raise StackError(Exit.SERVICE_FAILS, sentence)
        time.sleep(0.5)


def add_partitions(bootstrap: str, prefix: str, topic: Topic, count: int) -> None:
    """Raises `StackError` where the topic has as many already: Kafka takes none away."""
    now = len(ends(bootstrap, prefix, topic))
    if count <= now:
        raise StackError(Exit.USAGE, f"{topic.name} has {now} partitions; Kafka only adds some")
    admin = AdminClient({"bootstrap.servers": bootstrap})
    for future in admin.create_partitions([NewPartitions(topic.full_name(prefix), count)]).values():
        future.result(30)
    limit = time.monotonic() + KNOWN_LIMIT_S
    while len(ends(bootstrap, prefix, topic)) < count and time.monotonic() < limit:
        time.sleep(0.1)


def grow(platform: Platform, name: str, count: int, console: Console) -> None:
    """What writes stops, the stream catches up, the topic grows, and what wrote starts again."""
    bootstrap, prefix = platform.kafka().bootstrap, platform.state.topic_prefix
    topic = next(known for known in TOPICS if known.full_name(prefix) == full_name(platform, name))
    order(platform.home, "stop", list(WRITERS), console)
    try:
        wait_until_drained(bootstrap, prefix, topic, lambda: stands(platform))
        add_partitions(bootstrap, prefix, topic, count)
        console.print(f"{topic.name} has {count} partitions", highlight=False)
    finally:
        order(platform.home, "start", list(WRITERS), console)
