"""`tail TOPIC`: the records of a topic as they come."""

from collections.abc import Iterator

from confluent_kafka import OFFSET_END, Consumer, KafkaException, TopicPartition

from market.topics import TOPICS
from stack.errors import Exit, StackError
from stack.platform import Platform


def full_name(platform: Platform, topic: str) -> str:
    """`events`, `market.events.v1` and the name on the broker all mean the same topic."""
    for known in TOPICS:
        name = known.full_name(platform.state.topic_prefix)
        if topic in (name, known.name, known.name.split(".")[1]):
            return name
    known_names = ", ".join(known.name.split(".")[1] for known in TOPICS)
    raise StackError(Exit.USAGE, f"no topic {topic!r}: there are {known_names}")


def records(platform: Platform, topic: str, last: int) -> Iterator[str]:
    """The last records of every partition, then what comes, a line each: partition, offset, key and value."""
    name = full_name(platform, topic)
    consumer = Consumer(
        {"bootstrap.servers": platform.kafka().bootstrap, "group.id": "tail", "enable.auto.commit": False}
    )
    try:
        partitions = consumer.list_topics(name, timeout=5).topics[name].partitions
        places = []
        for number in partitions:
            _, high = consumer.get_watermark_offsets(TopicPartition(name, number), timeout=5)
            places.append(TopicPartition(name, number, max(0, high - last) if last else OFFSET_END))
        consumer.assign(places)
        while True:
            message = consumer.poll(0.5)
            if message is None:
                continue
            if message.error():
                raise KafkaException(message.error())
            key = (message.key() or b"").decode(errors="replace")
            value = (message.value() or b"").decode(errors="replace")
            yield f"{message.partition()}:{message.offset()} {key} {value}"
    except KafkaException as error:
        raise StackError(
            Exit.NOT_READY, f"Kafka does not answer ({error.args[0].str()}): run `candlestream up`"
        ) from error
    finally:
        consumer.close()
