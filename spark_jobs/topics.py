"""The log as it stands: cluster and topic ids, first and last offsets; and where each partition is to go on."""

from collections.abc import Mapping
from concurrent.futures import Future, wait
from dataclasses import dataclass
from typing import TypeVar

from confluent_kafka import KafkaError, KafkaException, TopicCollection, TopicPartition
from confluent_kafka.admin import AdminClient, OffsetSpec
from psycopg2.extensions import connection as Connection
from psycopg2.extensions import cursor as Cursor

from market.topics import DEAD_LETTERS, EVENTS, HISTORY
from spark_jobs.database import ledger
from spark_jobs.database.ledger import Position, Positions
from spark_jobs.scan import one_pass

EVENTS_CODE = one_pass.EVENTS
TOPIC_CODES = {EVENTS.name: EVENTS_CODE, HISTORY.name: one_pass.HISTORY, DEAD_LETTERS.name: one_pass.DEAD_LETTERS}
TIMEOUT_S = 10.0

Key = TypeVar("Key")
Answer = TypeVar("Answer")


@dataclass(frozen=True, slots=True)
class PartitionLog:
    """One partition: topic code and id, first offset still there, offset of the next record to be written."""

    topic: int
    topic_id: str
    partition: int
    first: int
    end: int


@dataclass(frozen=True, slots=True)
class Log:
    cluster_id: str
    partitions: list[PartitionLog]


def read_log(kafka: Mapping[str, str], prefix: str) -> Log:
    """Asks the broker. Raises `KafkaException` when it is away or a topic is missing."""
    admin = AdminClient({**kafka, "socket.timeout.ms": 10_000})
    # Not by `describe_cluster`: librdkafka aborts the process when a broker that is fenced says that there is none.
    cluster_id = admin.list_topics(timeout=TIMEOUT_S).cluster_id
    if cluster_id is None:
        raise KafkaException(KafkaError(KafkaError._PARTIAL, "the broker does not know its cluster yet"))
    names = [prefix + name for name in TOPIC_CODES]
    topics = answers(admin.describe_topics(TopicCollection(names), request_timeout=TIMEOUT_S))
    places = [TopicPartition(name, info.id) for name, topic in topics.items() for info in topic.partitions]
    bounds = []
    for spec in (OffsetSpec.earliest(), OffsetSpec.latest()):
        listed = answers(admin.list_offsets(dict.fromkeys(places, spec), request_timeout=TIMEOUT_S))
        bounds.append({(p.topic, p.partition): found.offset for p, found in listed.items()})
    partitions = [
        PartitionLog(
            TOPIC_CODES[place.topic.removeprefix(prefix)],
            str(topics[place.topic].topic_id),
            place.partition,
            bounds[0][place.topic, place.partition],
            bounds[1][place.topic, place.partition],
        )
        for place in places
    ]
    return Log(cluster_id, partitions)


def answers(requests: Mapping[Key, "Future[Answer]"]) -> dict[Key, Answer]:
    """What was answered, once no request is under way any more. Raises the first one's `KafkaException`.

    Each request has a time-out of its own, and no other is waited for: where the machine stands still, that one could end first,
    and librdkafka aborts the process when an answer comes for a client that is being thrown away.
    """
    wait(requests.values())
    return {key: future.result() for key, future in requests.items()}


def recover(connection: Connection, log: Log, epoch: int) -> tuple[Positions, list[str]]:
    """Where every partition goes on, and a sentence for each range that is lost.

    The ledger rules. Where the log no longer reaches back to it, or is shorter than it, or the topic is a new one, the lost
    range goes to `core.gaps` (open: a backfill is asked for) and the stream goes on with what there is.
    """
    positions: Positions = {}
    lost = []
    names = {code: name for name, code in TOPIC_CODES.items()}
    with connection, connection.cursor() as cursor:
        known = ledger.read_positions(cursor, log.cluster_id)
        cursor.execute("SELECT DISTINCT topic FROM core.stream_offsets WHERE query = %s", (ledger.QUERY,))
        met = {row[0] for row in cursor.fetchall()}
        for part in log.partitions:
            name = names[part.topic]
            at = known.get((part.topic_id, part.partition))
            if at is None:
                if name in met and not any(topic_id == part.topic_id for topic_id, _ in known):
                    lost.append(f"{name} is a new topic: what the old one still held is lost")
                    open_gap(cursor, name, "topic_recreated", lost[-1])
                at = known[part.topic_id, part.partition] = Position(part.topic_id, name, part.first)
                ledger.begin_partition(cursor, log.cluster_id, epoch, part.partition, at)
            elif not part.first <= at.next_offset <= part.end:
                is_truncated = at.next_offset < part.first
                went_on = part.first if is_truncated else part.end
                lost.append(
                    f"{name}[{part.partition}] stood at {at.next_offset}, the log has {part.first} to {part.end}: "
                    f"goes on at {went_on}"
                )
                open_gap(cursor, name, "log_truncated" if is_truncated else "log_shorter", lost[-1])
                at.next_offset = went_on
                ledger.begin_partition(cursor, log.cluster_id, epoch, part.partition, at)
            positions[part.topic, part.partition] = at
    return positions, lost


def open_gap(cursor: Cursor, topic: str, reason: str, detail: str) -> None:
    """A lost range of a topic: from its last commit until now.

    What the provider answered in that time was with the broker and may be gone: those sessions count as not asked about, and are
    judged again.
    """
    cursor.execute(
        """WITH lost AS (
               INSERT INTO core.gaps (starts_at, ends_at, reason, detail)
               SELECT coalesce(max(updated_at), now()), now(), %s, %s FROM core.stream_offsets WHERE query = %s AND topic = %s
               RETURNING starts_at),
           doubted AS (
               DELETE FROM core.coverage c USING lost WHERE c.fetched_at >= lost.starts_at - interval '1 minute'
               RETURNING c.symbol, c.session_date)
           UPDATE core.session_ledger l SET is_settled = false FROM doubted d
           WHERE l.symbol = d.symbol AND l.session_date = d.session_date""",
        (reason, detail, ledger.QUERY, topic),
    )
