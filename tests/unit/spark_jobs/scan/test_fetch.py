"""Planned ranges, read from a log that has holes, is cut short, ends early or does not answer.

The log is a list in memory that answers as `spark_jobs.scan.rdkafka.Client` does: what comes in one read is cut at random.
"""

import random
from dataclasses import dataclass, field
from itertools import pairwise

import numpy as np
import pyarrow as pa
import pytest
from confluent_kafka import KafkaError, KafkaException
from hypothesis import given
from hypothesis import strategies as st

from market.contracts import Clock
from spark_jobs.database.ledger import LedgerMoved, Position
from spark_jobs.planned import ranges, read_ends
from spark_jobs.scan.fetch import Fetcher, Range, Unfetched
from spark_jobs.scan.known import Known
from spark_jobs.scan.one_pass import DEAD_LETTERS, EVENTS, Scan
from spark_jobs.scan.rdkafka import NO_OFFSET, Read

pytestmark = pytest.mark.unit

TOPIC = "market.events.v1"
PATIENCE_S = 0.05


@dataclass
class Log:
    """One partition's log: records by offset, where it begins and ends. What is no record is a mark of a transaction."""

    records: dict[int, bytes]
    end: int
    first: int = 0
    chance: random.Random = field(default_factory=lambda: random.Random(1))
    is_away: bool = False
    error: int = 0
    said: str = "127.0.0.1:9092: Connect refused"
    at: int | None = None
    met_end: int | None = None
    starts: int = 0

    def start(self, topic: str, partition: int, offset: int) -> None:
        self.at, self.met_end = offset, None
        self.starts += 1

    def stop(self, topic: str, partition: int) -> None:
        self.at = None

    def close(self) -> None:
        self.at = None

    def bounds(self, topic: str, partition: int, wait_s: float) -> tuple[int, int]:
        return self.first, self.end

    def read(self, topic: str, partition: int, most: int, wait_s: float) -> Read:
        assert self.at is not None, "not started"
        end, error, offsets = NO_OFFSET, self.error, []
        if self.is_away or error:
            pass
        elif not self.first <= self.at <= self.end:
            error = KafkaError._AUTO_OFFSET_RESET
        else:
            ahead = [offset for offset in sorted(self.records) if offset >= self.at]
            offsets = ahead[: self.chance.randint(0, most)]
            if offsets:
                self.at = offsets[-1] + 1
            if offsets == ahead and self.met_end != self.end:
                # Told once, until there is more.
                self.at = self.met_end = end = self.end
        values = pa.array([self.records[offset] for offset in offsets], pa.binary())
        return Read(np.array(offsets, np.int64), values, end, error)


def log_of(offsets: range | list[int], end: int, **more: object) -> Log:
    return Log({offset: b"%d" % offset for offset in offsets}, end, **more)  # type: ignore[arg-type]


def part(begin: int, end: int) -> Range:
    return Range(EVENTS, TOPIC, 1, begin, end)


def fetched(fetcher: Fetcher, begin: int, end: int) -> tuple[list[int], list[tuple[int, int]]]:
    lost: list[tuple[int, int]] = []
    batches = list(fetcher.read(part(begin, end), lost))
    for batch in batches:
        assert batch["value"].to_pylist() == [b"%d" % offset for offset in batch["offset"].to_pylist()]
        assert set(batch["topic"].to_pylist()) == {EVENTS}
        assert set(batch["partition"].to_pylist()) == {1}
    return [offset for batch in batches for offset in batch["offset"].to_pylist()], lost


@given(st.sets(st.integers(0, 60)), st.lists(st.integers(0, 61), max_size=6), st.integers(0, 10**6))
def test_ranges_one_after_another_give_every_record_once_whatever_holes_transactions_left(
    offsets: set[int], cuts: list[int], seed: int
) -> None:
    log = log_of(sorted(offsets), 61, chance=random.Random(seed))
    fetcher = Fetcher(log)
    bounds = [0, *sorted(cuts), 61]
    for begin, end in pairwise(bounds):
        assert fetched(fetcher, begin, end) == ([k for k in sorted(offsets) if begin <= k < end], [])
    assert log.starts <= 1, "what follows is read on, not begun anew"


def test_a_range_that_ends_in_marks_of_transactions_is_read_to_its_end() -> None:
    #   0 1 2 r r m m     the end that was planned lies behind the marks
    fetcher = Fetcher(log_of([0, 1, 2], 5))
    assert fetched(fetcher, 0, 5) == ([0, 1, 2], [])


def test_what_was_read_and_not_committed_is_read_again() -> None:
    fetcher = Fetcher(log_of(range(10), 10))
    assert fetched(fetcher, 0, 6) == fetched(fetcher, 0, 6) == (list(range(6)), [])
    assert fetched(fetcher, 6, 10) == (list(range(6, 10)), [])


def test_records_that_come_while_it_waits_are_taken() -> None:
    log = log_of(range(5), 5)
    fetcher = Fetcher(log)
    assert fetched(fetcher, 0, 5) == (list(range(5)), [])
    log.records |= {offset: b"%d" % offset for offset in range(5, 9)}
    log.end = 9
    assert fetched(fetcher, 5, 9) == (list(range(5, 9)), [])


@pytest.mark.parametrize(
    ("first", "read", "lost"),
    [(0, list(range(3, 10)), []), (6, list(range(6, 10)), [(3, 6)]), (10, [], [(3, 10)]), (15, [], [(3, 10)])],
    ids=["nothing", "its beginning", "all of it", "more than it"],
)
def test_what_the_log_no_longer_has_is_lost_and_the_rest_is_read(
    first: int, read: list[int], lost: list[tuple[int, int]]
) -> None:
    #   range 3 to 9, the log begins at `first`
    log = log_of(range(first, 20), 20, first=first)
    fetcher = Fetcher(log)
    assert fetched(fetcher, 3, 10) == (read, lost)
    begin = max(first, 10)
    assert fetched(fetcher, 10, 20) == (list(range(begin, 20)), [(10, begin)] if begin > 10 else [])


def test_a_log_that_is_cut_while_a_range_is_read_loses_what_lies_between() -> None:
    log = log_of(range(20), 20)
    fetcher = Fetcher(log)
    lost: list[tuple[int, int]] = []
    reading = fetcher.read(part(0, 20), lost)
    offsets = next(reading)["offset"].to_pylist()
    log.first = 15
    offsets += [offset for batch in reading for offset in batch["offset"].to_pylist()]
    [(begin, end)] = lost
    assert end == 15
    assert offsets == [*range(begin), *range(15, 20)]


def test_a_log_that_ends_before_the_range_begins_is_not_waited_for() -> None:
    with pytest.raises(Unfetched, match="ends at 4"):
        fetched(Fetcher(log_of(range(4), 4)), 6, 9)


def test_a_range_beyond_the_logs_end_is_given_up_after_a_while_and_says_why() -> None:
    fetcher = Fetcher(log_of(range(4), 4), patience_s=PATIENCE_S)
    with pytest.raises(Unfetched, match=r"market.events.v1\[1\] 0 to 8: no record at 4 .* Connect refused"):
        fetched(fetcher, 0, 9)


def test_a_broker_that_is_away_is_given_up_after_a_while_and_the_range_can_be_read_when_it_is_back() -> None:
    log = log_of(range(9), 9, is_away=True)
    fetcher = Fetcher(log, patience_s=PATIENCE_S)
    with pytest.raises(Unfetched, match="no record at 0"):
        fetched(fetcher, 0, 9)
    log.is_away = False
    assert fetched(fetcher, 0, 9) == (list(range(9)), [])


def test_any_other_error_of_the_partition_ends_the_range() -> None:
    log = log_of(range(9), 9, error=KafkaError.UNKNOWN_TOPIC_OR_PART)
    with pytest.raises(Unfetched, match="Unknown topic"):
        fetched(Fetcher(log), 0, 9)


class Closed(Log):
    def read(self, topic: str, partition: int, most: int, wait_s: float) -> Read:
        raise KafkaException(KafkaError(KafkaError._DESTROY, "the client was closed"))


def rows(log: Log, *parts: Range) -> list[dict[str, object]]:
    scan = Scan({}, "simulator", Known.of([]))
    names = ["row", "partition", "first_offset", "last_offset", "records"]
    found = Fetcher(log).partials(scan, list(parts))
    return [row for batch in found for row in batch.select(names).to_pylist()]


def test_a_scan_of_ranges_tells_what_was_seen_what_was_planned_and_what_was_gone() -> None:
    clock = Clock(source="simulator", event_ms=1_700_000_000_000, fetched_ms=1_700_000_001_000, since_ms=0).encode()
    found = rows(Log({6: clock, 7: clock}, 9, first=5), part(2, 9))
    told = [tuple(row.values()) for row in found if row["row"] != "clock"]
    assert told == [("range", 1, 6, 7, 2), ("lost", 1, 2, 4, 0), ("range", 1, 2, 8, 0)]


def test_a_client_that_was_closed_meanwhile_is_a_range_that_was_not_fetched() -> None:
    with pytest.raises(Unfetched, match="closed"):
        rows(Closed({}, 0), part(0, 3))


ENDS = '{"simulator.market.events.v1":{"0":7,"1":9}}\n{"simulator.market.dead_letters.v1":{"0":3}}'
PREFIX = "simulator."


def positions(**at: int) -> dict[tuple[int, int], Position]:
    places = {"events0": (EVENTS, 0), "events1": (EVENTS, 1), "letters": (DEAD_LETTERS, 0)}
    return {places[name]: Position("id", "topic", offset) for name, offset in at.items()}


def test_a_batch_goes_from_the_ledger_to_what_spark_planned_and_the_longest_range_comes_first() -> None:
    found = ranges(read_ends(ENDS), positions(events0=4, events1=1, letters=3), PREFIX)
    assert [str(each) for each in found] == [
        "simulator.market.events.v1[1] 1 to 8",
        "simulator.market.events.v1[0] 4 to 6",
    ]


def test_a_planned_end_below_the_ledger_is_another_log() -> None:
    with pytest.raises(LedgerMoved, match="ends at 7, the ledger stands at 8"):
        ranges(read_ends(ENDS), positions(events0=8, events1=9, letters=3), PREFIX)


def test_a_partition_that_the_ledger_does_not_know_is_planned_for_again_once_it_has_records() -> None:
    with pytest.raises(LedgerMoved, match="more partitions"):
        ranges(read_ends(ENDS), positions(events0=4, letters=3), PREFIX)
    assert ranges(read_ends(ENDS.replace("9", "0")), positions(events0=7, letters=3), PREFIX) == []
