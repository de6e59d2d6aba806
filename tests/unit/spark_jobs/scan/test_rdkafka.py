"""The binding, against librdkafka's own broker in memory."""

import threading
import time
from collections.abc import Iterator

import pytest
from confluent_kafka import KafkaError, KafkaException, Producer

from spark_jobs.scan.fetch import FETCH, Fetcher, Range
from spark_jobs.scan.rdkafka import NO_OFFSET, Client, Read

pytestmark = pytest.mark.unit

TOPIC = "records"
BOOTSTRAP = "bootstrap.servers"


@pytest.fixture(scope="module")
def broker() -> Iterator[str]:
    """It lives as long as this client does."""
    producer = Producer({"test.mock.num.brokers": 1, BOOTSTRAP: "none"})
    brokers = producer.list_topics(timeout=10).brokers
    yield ",".join(f"{each.host}:{each.port}" for each in brokers.values())
    producer.flush(1)


@pytest.fixture
def client(broker: str) -> Iterator[Client]:
    made = Client({**FETCH, BOOTSTRAP: broker})
    yield made
    made.close()


def send(broker: str, topic: str, *values: bytes | None) -> None:
    producer = Producer({BOOTSTRAP: broker})
    for value in values:
        producer.produce(topic, value, key=b"a key", partition=0)
    assert producer.flush(10) == 0


def read_some(client: Client, topic: str, most: int = 1000) -> Read:
    """What comes next, whatever it is."""
    limit = time.monotonic() + 10
    while time.monotonic() < limit:
        got = client.read(topic, 0, most, 0.05)
        if len(got.offsets) or got.error or got.end != NO_OFFSET:
            return got
    raise AssertionError("nothing came")


def test_values_and_offsets_are_the_logs_own_to_the_byte(broker: str, client: Client) -> None:
    values = [b"one", b"", None, b"\x00\xff", b"x" * 100_000, "vîf".encode()]
    send(broker, "bytes", *values)
    client.start("bytes", 0, 1)
    offsets: list[int] = []
    found: list[bytes] = []
    while len(offsets) < 5:
        got = read_some(client, "bytes")
        assert got.error == 0
        offsets += got.offsets.tolist()
        found += got.values.to_pylist()
    assert offsets == [1, 2, 3, 4, 5]
    # A record without a value is as bad as an empty one: nobody downstream tells them apart.
    assert found == [value or b"" for value in values[1:]]


def test_the_logs_end_is_told_when_it_is_met(broker: str, client: Client) -> None:
    send(broker, "ends", b"a", b"b")
    client.start("ends", 0, 0)
    ends = []
    while not ends:
        got = read_some(client, "ends")
        ends += [got.end] if got.end != NO_OFFSET else []
    assert ends == [2]
    assert client.bounds("ends", 0, 5) == (0, 2)


def test_an_offset_that_the_log_does_not_have_is_an_error(broker: str, client: Client) -> None:
    send(broker, "range", b"a")
    client.start("range", 0, 50)
    assert read_some(client, "range").error == KafkaError._AUTO_OFFSET_RESET


def test_no_more_than_asked_for_comes_and_the_rest_comes_later(broker: str, client: Client) -> None:
    send(broker, "many", *(b"%d" % k for k in range(5_000)))
    fetcher = Fetcher(client)
    found = []
    for begin, end in ((0, 7), (7, 4_000), (4_000, 5_000), (10, 20)):
        batches = list(fetcher.read(Range(0, "many", 0, begin, end), []))
        found.append([value for batch in batches for value in batch["value"].to_pylist()])
        assert found[-1] == [b"%d" % k for k in range(begin, end)]


def test_a_broker_that_is_away_says_so() -> None:
    client = Client({**FETCH, BOOTSTRAP: "127.0.0.1:1"})
    client.start(TOPIC, 0, 0)
    limit = time.monotonic() + 10
    while not client.said and time.monotonic() < limit:
        assert len(client.read(TOPIC, 0, 10, 0.05).offsets) == 0
    assert "127.0.0.1:1" in client.said
    client.close()


def test_a_setting_that_the_library_does_not_have_is_an_error() -> None:
    with pytest.raises(KafkaException, match="No such configuration property"):
        Client({"no.such.setting": "1"})


def test_a_client_can_be_closed_while_another_thread_reads(broker: str) -> None:
    client = Client({**FETCH, BOOTSTRAP: broker})
    client.start("closed", 0, 0)
    ended = []

    def reading() -> None:
        try:
            while True:
                client.read("closed", 0, 10, 0.02)
        except KafkaException as error:
            ended.append(error.args[0].code())

    thread = threading.Thread(target=reading)
    thread.start()
    time.sleep(0.2)
    client.close()
    client.close()
    thread.join(5)
    assert ended == [KafkaError._DESTROY]
