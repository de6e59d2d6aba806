"""One stream through what operators do to it: a database away, an older one restored, a log cut short, a topic made anew.

The process lives through all of it. Each test has a symbol of its own and counts its trades.
"""

import json
import re
import shutil
import time
from collections.abc import Iterator
from dataclasses import dataclass, field
from itertools import pairwise

import psycopg2
import pytest
from confluent_kafka import Consumer, Producer, TopicPartition
from confluent_kafka.admin import AdminClient, NewPartitions

from market.contracts import Tick
from market.timeframes import DAY_MS
from market.topics import EVENTS
from stack.chaos.feed import SOURCE
from stack.chaos.job import Job
from stack.chaos.parts import Parts
from stack.parts.topics import ensure_topics
from tests.stream.rig import until
from tests.stream.test_ledger import remake

pytestmark = pytest.mark.stream

MOST = 500  # records of the events topic a batch
START_MS = (int(time.time() * 1000) // DAY_MS - 2) * DAY_MS
AHEAD_BYTES = 64 << 20  # more than a fetcher reads ahead of a partition
LARGE = b"no record" * 10_000
SYMBOLS = ("RESTORED", "AWAY", "CUT", "ANEW", "GROWN", "LONG")


@dataclass
class Under:
    """The running stream, and how many trades of a symbol were sent."""

    job: Job
    parts: Parts
    producer: Producer
    sent: dict[str, int] = field(default_factory=dict)

    def send(self, symbol: str, count: int, partition: int | None = None) -> None:
        place = {} if partition is None else {"partition": partition}
        for _ in range(count):
            n = self.sent[symbol] = self.sent.get(symbol, 0) + 1
            at_ms = START_MS + n * 1_000
            trade = Tick(
                source=SOURCE, symbol=symbol, event_ms=at_ms, fetched_ms=at_ms + 40, price=10.0, day_volume=n * 10
            )
            self.producer.produce(EVENTS.full_name(self.job.prefix), trade.encode(), symbol.encode(), **place)
            self.producer.poll(0)
        assert self.producer.flush(30) == 0

    def ask(self, query: str, *parameters: object) -> list[tuple[object, ...]]:
        connection = psycopg2.connect(self.job.url)
        try:
            with connection, connection.cursor() as cursor:
                cursor.execute(query, parameters)
                return cursor.fetchall()
        finally:
            connection.close()

    def counted(self, symbol: str) -> int:
        [(trades,)] = self.ask(
            "SELECT coalesce(sum(ticks), 0) FROM v1.bars WHERE timeframe = '1m' AND symbol = %s", symbol
        )
        return int(str(trades))

    def gaps(self, reason: str) -> list[tuple[object, ...]]:
        return self.ask("SELECT detail FROM v1.gaps WHERE reason = %s", reason)

    def until_counted(self, symbol: str, expected: int) -> None:
        try:
            until(lambda: self.counted(symbol) >= expected, f"{expected} trades of {symbol}", 180)
        except AssertionError as error:
            raise AssertionError(f"{error}; {self.job.process.log.read_text()[-5000:]}") from error
        assert self.counted(symbol) == expected

    def logged(self, event: str) -> list[dict[str, object]]:
        lines = [line for line in self.job.process.log.read_text().splitlines() if line.startswith("{")]
        return [entry for entry in map(json.loads, lines) if entry.get("event") == event]


@pytest.fixture(scope="module")
def under(chaos_parts: Parts) -> Iterator[Under]:
    prefix = f"outages.{next(chaos_parts.numbers)}."
    ensure_topics(chaos_parts.node.bootstrap, prefix)
    more = {"CANDLESTREAM_MAX_EVENTS": str(MOST), "CANDLESTREAM_LOG_LEVEL": "DEBUG"}
    job = Job(chaos_parts, prefix, SYMBOLS, more=more)
    job.process.start()
    yield Under(job, chaos_parts, Producer({"bootstrap.servers": chaos_parts.node.bootstrap}))
    assert job.process.is_alive, "the stream ended by itself"
    job.process.stop()


def test_an_older_database_restored_while_the_log_stays_is_caught_up_from_the_log(under: Under) -> None:
    #   trades   40        | 60           |
    #   copy taken here    ^   restored:  ^      the log still has the 60
    under.send("RESTORED", 40)
    under.until_counted("RESTORED", 40)
    postgres, data = under.parts.postgres, under.parts.server.data_dir
    older = data.with_name("older")
    postgres.stop()
    shutil.copytree(data, older)
    postgres.start()
    under.send("RESTORED", 60)
    under.until_counted("RESTORED", 100)
    postgres.stop()
    shutil.rmtree(data)
    older.rename(data)
    if under.parts.server.user:
        under.parts.server.user.own(data)
    postgres.start()
    # A market that trades tells the driver at once; an idle one has nothing to write.
    under.send("RESTORED", 1)
    under.until_counted("RESTORED", 101)
    assert under.ask("SELECT * FROM v1.gaps") == []
    assert under.logged("range_lost") == []


def test_while_the_database_is_away_nothing_is_lost_and_what_piled_up_comes_in_capped_batches(under: Under) -> None:
    under.send("AWAY", 10)
    under.until_counted("AWAY", 10)
    away(under, "AWAY", 6 * MOST, seconds=5)
    sizes = [int(str(batch["records"])) for batch in under.logged("batch")]
    assert max(sizes) <= MOST
    assert sizes.count(MOST) >= 3


@pytest.mark.long
@pytest.mark.timeout(1200)
def test_a_database_that_is_away_for_ten_minutes_loses_nothing(under: Under) -> None:
    away(under, "LONG", 20_000, seconds=600)


def away(under: Under, symbol: str, trades: int, *, seconds: float) -> None:
    """PostgreSQL is killed; trades are sent all the time; it comes back."""
    before = under.sent.get(symbol, 0)
    under.parts.postgres.kill()
    for _ in range(10):
        under.send(symbol, trades // 10)
        time.sleep(seconds / 10)
    assert under.job.process.is_alive
    under.parts.postgres.start()
    under.until_counted(symbol, before + trades)


def test_what_the_log_no_longer_has_when_the_stream_comes_to_it_is_a_gap_and_the_rest_is_counted(under: Under) -> None:
    #   partition 0   ... ledger | more than the stream reads ahead, and 30 trades | of which 20 are deleted, too | 10 left
    under.send("CUT", 5, partition=0)
    under.until_counted("CUT", 5)
    noticed = len(under.logged("database_away"))
    under.parts.postgres.kill()
    # The batch in flight holds this one and waits for the database; what follows is only in the log.
    under.send("CUT", 1, partition=0)
    until(lambda: len(under.logged("database_away")) > noticed, "the stream to notice")
    time.sleep(1)
    name = EVENTS.full_name(under.job.prefix)
    for _ in range(AHEAD_BYTES // len(LARGE)):
        under.producer.produce(name, LARGE, partition=0)
        under.producer.poll(0.001)
    under.send("CUT", 30, partition=0)
    admin = AdminClient({"bootstrap.servers": under.parts.node.bootstrap})
    end = end_of(under, name)
    for future in admin.delete_records([TopicPartition(name, 0, end - 10)]).values():
        future.result(10)
    under.parts.postgres.start()
    under.until_counted("CUT", 5 + 1 + 10)
    # One for each batch that had planned to read there: every offset in one of them, none in two.
    gone = sorted(tuple(map(int, re.findall(r"\d+", detail))) for (detail,) in under.gaps("log_truncated"))
    assert gone[-1][1] == end - 10 - 1
    assert all(before[1] + 1 == after[0] for before, after in pairwise(gone))


def end_of(under: Under, name: str) -> int:
    consumer = Consumer({"bootstrap.servers": under.parts.node.bootstrap, "group.id": "outages"})
    end = consumer.get_watermark_offsets(TopicPartition(name, 0), timeout=10)[1]
    consumer.close()
    return int(end)


def test_a_topic_made_anew_under_the_stream_is_a_gap_and_its_records_are_counted(under: Under) -> None:
    under.send("ANEW", 20)
    under.until_counted("ANEW", 20)
    remake(under.parts.node.bootstrap, under.job.prefix)
    under.producer = Producer({"bootstrap.servers": under.parts.node.bootstrap})
    under.send("ANEW", 7)

    def all_counted() -> bool:
        # A market that trades: the stream notices by a record that lies where it has already been.
        under.send("ANEW", 1)
        time.sleep(1)
        return under.counted("ANEW") >= 27

    until(all_counted, "the new topic's records", 180)
    under.until_counted("ANEW", under.sent["ANEW"])
    assert len(under.gaps("topic_recreated")) == 1


def test_partitions_added_under_the_stream_are_read_from_their_beginning(under: Under) -> None:
    under.send("GROWN", 5)
    under.until_counted("GROWN", 5)
    admin = AdminClient({"bootstrap.servers": under.parts.node.bootstrap})
    for future in admin.create_partitions([NewPartitions(EVENTS.full_name(under.job.prefix), 4)]).values():
        future.result(10)
    until(lambda: try_send(under, "GROWN", 3), "a new partition")
    under.until_counted("GROWN", 8)


def try_send(under: Under, symbol: str, partition: int) -> bool:
    """A trade into a partition that may not be there yet for this producer."""
    fresh = Producer({"bootstrap.servers": under.parts.node.bootstrap, "log_level": 0})
    known = fresh.list_topics(EVENTS.full_name(under.job.prefix), timeout=5).topics
    if len(known[EVENTS.full_name(under.job.prefix)].partitions) <= partition:
        return False
    under.producer = fresh
    under.send(symbol, 3, partition=partition)
    return True
