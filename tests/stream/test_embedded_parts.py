"""The embedded servers that all stream tests stand on."""

from collections.abc import Callable

import psycopg2
import pytest
from confluent_kafka import Consumer, Producer, TopicPartition

from market.topics import EVENTS, TOPICS
from tests.embedded import Database

pytestmark = pytest.mark.stream


def test_a_test_gets_a_migrated_empty_database(postgres: Database) -> None:
    with psycopg2.connect(postgres.reader) as connection, connection.cursor() as cursor:
        cursor.execute("SELECT count(*) FROM v1.bars")
        assert cursor.fetchone() == (0,)
        cursor.execute("SHOW timezone")
        assert cursor.fetchone() == ("UTC",)
    connection.close()


def test_the_reader_sees_the_views_alone(postgres: Database) -> None:
    connection = psycopg2.connect(postgres.reader)
    with connection.cursor() as cursor, pytest.raises(psycopg2.errors.InsufficientPrivilege):
        cursor.execute("SELECT count(*) FROM core.bars")
    connection.close()


def test_a_wrong_password_is_refused(postgres: Database) -> None:
    with pytest.raises(psycopg2.OperationalError, match="password authentication failed"):
        psycopg2.connect(postgres.reader, password="guess")


def test_topics_have_the_partitions_that_market_names(kafka: str, topics: Callable[[str], str]) -> None:
    prefix = topics("partitions")
    consumer = Consumer({"bootstrap.servers": kafka, "group.id": "test"})
    known = consumer.list_topics(timeout=10).topics
    assert {t.name: len(known[t.full_name(prefix)].partitions) for t in TOPICS} == {
        t.name: t.partitions for t in TOPICS
    }
    consumer.close()


def test_what_is_produced_is_consumed(kafka: str, topics: Callable[[str], str]) -> None:
    topic = EVENTS.full_name(topics("produced"))
    producer = Producer({"bootstrap.servers": kafka})
    producer.produce(topic, b"value", partition=1)
    assert producer.flush(10) == 0
    consumer = Consumer({"bootstrap.servers": kafka, "group.id": "test", "auto.offset.reset": "earliest"})
    consumer.assign([TopicPartition(topic, 1, 0)])
    message = consumer.poll(10)
    assert message is not None
    assert message.value() == b"value"
    consumer.close()
