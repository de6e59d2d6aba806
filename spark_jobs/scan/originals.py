"""The original bytes of records that the driver refuses after they were decoded: read from the log once more.

What travels to the driver is what a record says and where it stood, not its bytes: they would cost every good record's way. A
record that only the calendar refuses is rare, and the log still has it.
"""

import hashlib
import time
from collections.abc import Callable, Iterable, Iterator, Mapping
from typing import Any

from confluent_kafka import Consumer, KafkaError, KafkaException, TopicPartition

from market.contracts import decode
from market.errors import Rejected

# (topic code, partition) → offsets, rising; gives the values that the log has at them.
Fetch = Callable[[tuple[int, int], list[int]], dict[int, bytes]]

LIMIT_S = 30.0
# Offsets that lie further apart than this are sought, nearer ones are read through.
NEAR = 1_000
AT_ONCE = 500
GONE = "; the log has the record no more: the same record, written anew"


def restore(rejects: list[dict[str, Any]], fetch: Fetch) -> None:
    """Gives the letters that were `remade` their original bytes, in place.

    Where the log no longer has the record, the letter keeps what was made anew and says so. Raises what `fetch` raises.
    """
    remade = [row for row in rejects if row.pop("remade", False)]
    by_place: dict[tuple[int, int], list[dict[str, Any]]] = {}
    for row in remade:
        by_place.setdefault((row["topic"], row["partition"]), []).append(row)
    for place, rows in by_place.items():
        found = fetch(place, sorted(row["first_offset"] for row in rows))
        for row in rows:
            original = found.get(row["first_offset"])
            if original is None or not is_of(original, row["payload"]):
                row["detail"] += GONE
                continue
            row["payload"] = original
            row["content_hash"] = hashlib.sha256(original).hexdigest()


def is_of(original: bytes, remade: bytes) -> bool:
    """Whether both are the same record: a topic may have been made anew since it was read."""
    try:
        return decode(original) == decode(remade)
    except Rejected:
        return False


def from_log(kafka: Mapping[str, str], topic_of: Callable[[int], str]) -> Fetch:
    """`Fetch` from a broker, by librdkafka's settings; `topic_of` names a topic by its code.

    It raises `KafkaException` where the broker does not answer.
    """

    def fetch(place: tuple[int, int], offsets: list[int]) -> dict[int, bytes]:
        consumer = Consumer(
            {
                **kafka,
                "group.id": "candlestream originals",
                "enable.auto.commit": False,
                "enable.partition.eof": True,
                "auto.offset.reset": "error",
            }
        )
        found: dict[int, bytes] = {}
        try:
            for run in runs(offsets):
                consumer.assign([TopicPartition(topic_of(place[0]), place[1], run[0])])
                found.update(read_run(consumer, run, time.monotonic() + LIMIT_S))
        finally:
            consumer.close()
        return found

    return fetch


def runs(offsets: Iterable[int]) -> Iterator[list[int]]:
    """Rising offsets, cut where the next one is not near."""
    run: list[int] = []
    for offset in offsets:
        if run and offset - run[-1] > NEAR:
            yield run
            run = []
        run.append(offset)
    if run:
        yield run


def read_run(consumer: Consumer, run: list[int], ends_s: float) -> dict[int, bytes]:
    """The values at these offsets, as far as the log has them."""
    wanted = set(run)
    found: dict[int, bytes] = {}
    while True:
        for message in consumer.consume(AT_ONCE, timeout=0.5):
            error = message.error()
            if error is not None:
                if error.code() in (KafkaError._PARTITION_EOF, KafkaError._AUTO_OFFSET_RESET):
                    return found
                if not error.retriable():
                    raise KafkaException(error)
                continue
            offset = message.offset()
            if offset in wanted:
                found[offset] = message.value() or b""
            if offset is not None and offset >= run[-1]:
                return found
        if time.monotonic() > ends_s:
            raise KafkaException(KafkaError(KafkaError._TIMED_OUT, f"no answer about offsets {run[0]} to {run[-1]}"))
