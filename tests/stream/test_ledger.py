"""Who may move the ledger, and where a start goes on when the log or the database is not what it was."""

import time
from collections.abc import Callable, Iterator

import psycopg2
import pytest
from confluent_kafka import KafkaException, Producer, TopicPartition
from confluent_kafka.admin import AdminClient, NewPartitions
from psycopg2.extensions import connection as Connection

from market.topics import EVENTS
from spark_jobs import topics
from spark_jobs.database import ledger
from spark_jobs.database.ledger import Advance, Fenced, LedgerMoved, Positions
from spark_jobs.scan.one_pass import EVENTS as EVENTS_CODE
from stack.parts.topics import ensure_topics
from tests.embedded import Database
from tests.stream.rig import until

pytestmark = pytest.mark.stream

PLACE = (EVENTS_CODE, 0)


@pytest.fixture
def connection(postgres: Database) -> Iterator[Connection]:
    opened = psycopg2.connect(postgres.writer)
    yield opened
    opened.close()


@pytest.fixture
def prefix(topics: Callable[[str], str]) -> str:
    return topics("ledger")


def fill(bootstrap: str, prefix: str, records: int) -> None:
    producer = Producer({"bootstrap.servers": bootstrap})
    for k in range(records):
        producer.produce(EVENTS.full_name(prefix), b"%d" % k, partition=0)
    assert producer.flush(30) == 0


def claimed(connection: Connection, bootstrap: str, prefix: str) -> tuple[int, str, Positions, list[str]]:
    """As a driver begins: epoch, cluster, positions and what is lost."""
    epoch = ledger.claim_epoch(connection, "a test")
    log = until(lambda: log_of(bootstrap, prefix), "the topics")
    return epoch, log.cluster_id, *topics.recover(connection, log, epoch)


def log_of(bootstrap: str, prefix: str) -> topics.Log | None:
    """None while topics are so new that not all of the broker knows them; the stream tries again, too."""
    try:
        return topics.read_log({"bootstrap.servers": bootstrap}, prefix)
    except KafkaException:
        return None


def move(connection: Connection, epoch: int, cluster: str, positions: Positions, to: int, note: str = "") -> None:
    """A batch of one row from where the driver believes the ledger to stand."""
    at = positions[PLACE]
    with connection, connection.cursor() as cursor:
        cursor.execute(
            "INSERT INTO core.gaps (starts_at, ends_at, reason, detail) VALUES (now(), now(), 'test', %s)", (note,)
        )
        ledger.advance(cursor, cluster, epoch, [Advance(PLACE[1], at, to, 0, 0)])
    at.next_offset = to


def gaps(connection: Connection, reason: str) -> list[str]:
    with connection, connection.cursor() as cursor:
        cursor.execute("SELECT detail FROM core.gaps WHERE reason = %s", (reason,))
        return [row[0] for row in cursor.fetchall()]


def test_a_second_driver_fences_the_first_out_and_nothing_of_it_is_committed(
    connection: Connection, postgres: Database, kafka: str, prefix: str
) -> None:
    first = claimed(connection, kafka, prefix)
    move(connection, *first[:3], to=5, note="by the first")
    other = psycopg2.connect(postgres.writer)
    second = claimed(other, kafka, prefix)
    with pytest.raises(Fenced):
        move(connection, *first[:3], to=9, note="too late")
    move(other, *second[:3], to=7, note="by the second")
    assert gaps(connection, "test") == ["by the first", "by the second"]
    other.close()


def test_a_batch_that_does_not_begin_where_the_ledger_stands_is_not_committed(
    connection: Connection, kafka: str, prefix: str
) -> None:
    mine = claimed(connection, kafka, prefix)
    move(connection, *mine[:3], to=5, note="once")
    mine[2][PLACE].next_offset = 0
    with pytest.raises(LedgerMoved):
        move(connection, *mine[:3], to=5, note="twice")
    assert gaps(connection, "test") == ["once"]


def test_a_restored_database_that_knows_no_such_claim_is_not_a_second_driver(
    connection: Connection, kafka: str, prefix: str
) -> None:
    mine = claimed(connection, kafka, prefix)
    with connection, connection.cursor() as cursor:
        cursor.execute("UPDATE core.stream_epochs SET epoch = epoch - 1")
        cursor.execute("UPDATE core.stream_offsets SET epoch = epoch - 1")
    with pytest.raises(LedgerMoved, match="older database"):
        move(connection, *mine[:3], to=5)


def test_a_log_that_no_longer_reaches_back_to_the_ledger_is_a_gap_and_the_stream_goes_on_where_it_begins(
    connection: Connection, kafka: str, prefix: str
) -> None:
    #   log     0 . . . . . [6 . . . 10      ledger 3
    fill(kafka, prefix, 10)
    mine = claimed(connection, kafka, prefix)
    move(connection, *mine[:3], to=3)
    admin = AdminClient({"bootstrap.servers": kafka})
    for future in admin.delete_records([TopicPartition(EVENTS.full_name(prefix), 0, 6)]).values():
        future.result(10)
    _, _, positions, lost = claimed(connection, kafka, prefix)
    assert positions[PLACE].next_offset == 6
    assert len(lost) == 1
    assert gaps(connection, "log_truncated") == lost


def test_a_log_that_is_shorter_than_the_ledger_is_a_gap_and_the_stream_goes_on_at_its_end(
    connection: Connection, kafka: str, prefix: str
) -> None:
    fill(kafka, prefix, 4)
    mine = claimed(connection, kafka, prefix)
    move(connection, *mine[:3], to=9)
    _, _, positions, lost = claimed(connection, kafka, prefix)
    assert positions[PLACE].next_offset == 4
    assert gaps(connection, "log_shorter") == lost != []


def test_a_topic_made_anew_is_read_from_its_beginning_and_what_the_old_one_held_is_a_gap(
    connection: Connection, kafka: str, prefix: str
) -> None:
    fill(kafka, prefix, 10)
    mine = claimed(connection, kafka, prefix)
    move(connection, *mine[:3], to=8)
    remake(kafka, prefix)
    fill(kafka, prefix, 3)
    _, _, positions, _ = claimed(connection, kafka, prefix)
    assert positions[PLACE].next_offset == 0
    assert positions[PLACE].topic_id != mine[2][PLACE].topic_id
    assert [detail.split(" is ")[0] for detail in gaps(connection, "topic_recreated")] == [EVENTS.name]


def test_partitions_that_were_added_are_read_from_their_beginning_and_are_no_gap(
    connection: Connection, kafka: str, prefix: str
) -> None:
    fill(kafka, prefix, 5)
    mine = claimed(connection, kafka, prefix)
    move(connection, *mine[:3], to=5)
    admin = AdminClient({"bootstrap.servers": kafka})
    for future in admin.create_partitions([NewPartitions(EVENTS.full_name(prefix), 4)]).values():
        future.result(10)
    until(lambda: len(positions_of(kafka, prefix)) == 4, "four partitions")
    _, _, positions, lost = claimed(connection, kafka, prefix)
    assert lost == []
    assert {p: at.next_offset for (code, p), at in positions.items() if code == EVENTS_CODE} == {0: 5, 1: 0, 2: 0, 3: 0}


def positions_of(bootstrap: str, prefix: str) -> list[int]:
    log = log_of(bootstrap, prefix)
    return [part.partition for part in log.partitions if part.topic == EVENTS_CODE] if log else []


def remake(bootstrap: str, prefix: str) -> None:
    """The events topic, deleted and made anew."""
    admin = AdminClient({"bootstrap.servers": bootstrap})
    name = EVENTS.full_name(prefix)
    for future in admin.delete_topics([name]).values():
        future.result(10)
    limit = time.monotonic() + 20
    while name not in ensure_topics(bootstrap, prefix):
        assert time.monotonic() < limit
        time.sleep(0.1)
