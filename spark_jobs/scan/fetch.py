"""The records of the offset ranges that Spark planned, fetched by who scans them: an executor's worker, or the driver itself."""

import time
from collections import deque
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from typing import Protocol

import numpy as np
import pyarrow as pa
from confluent_kafka import KafkaError, KafkaException
from numpy.typing import NDArray

from spark_jobs.scan import rdkafka
from spark_jobs.scan.known import Known
from spark_jobs.scan.one_pass import Scan, leave_imports_alone
from spark_jobs.scan.partials import pack, table
from spark_jobs.scan.rdkafka import NO_OFFSET, Client, Read

# A broker that is short of a processor, or of its disk, has been seen to keep a fetch waiting for half of this.
PATIENCE_S = 45.0
LOOK_S = 0.1
FETCH = {
    # What is read ahead of a partition: so many records or kilobytes, and one more answer of the broker.
    "queued.min.messages": "20000",
    "queued.max.messages.kbytes": "16384",
    "fetch.message.max.bytes": str(4 << 20),
    # How long the library looks away from a queue that was full; by itself a second.
    "fetch.queue.backoff.ms": "2",
    # How long the broker keeps a question that it has no record for, and with it a partition that is begun meanwhile.
    "fetch.wait.max.ms": "100",
    "enable.partition.eof": "true",
    "auto.offset.reset": "error",
    # As Spark plans: the end may lie behind a transaction that is still open.
    "isolation.level": "read_uncommitted",
    "log_level": "0",  # what it has to say is said with the error
}


class Unfetched(Exception):
    """A planned range could not be read to its end: the broker is away, or its log is not what it was when Spark planned."""


@dataclass(frozen=True, slots=True)
class Range:
    """Records of one partition: topic code and name, first offset and the one behind the last."""

    topic: int
    name: str
    partition: int
    begin: int
    end: int

    def __str__(self) -> str:
        return f"{self.name}[{self.partition}] {self.begin} to {self.end - 1}"


@dataclass(slots=True)
class Place:
    """How far a partition was read: the next offset, the log's end as last met, what came behind the range, an error to come."""

    at: int
    met_end: int = NO_OFFSET
    ahead: deque[tuple[NDArray[np.int64], pa.Array]] = field(default_factory=deque)
    error: int = 0


class Source(Protocol):
    """What a fetcher needs of `rdkafka.Client`."""

    said: str

    def start(self, topic: str, partition: int, offset: int) -> None: ...
    def stop(self, topic: str, partition: int) -> None: ...
    def read(self, topic: str, partition: int, most: int, wait_s: float) -> Read: ...
    def bounds(self, topic: str, partition: int, wait_s: float) -> tuple[int, int]: ...
    def close(self) -> None: ...


class Fetcher:
    """Reads ranges; where it began to read it reads on ahead, so that the range that follows is often in memory already."""

    def __init__(self, source: Source, patience_s: float = PATIENCE_S) -> None:
        self._source = source
        self._patience_s = patience_s
        self._places: dict[tuple[str, int], Place] = {}

    def partials(self, scan: Scan, ranges: list[Range]) -> Iterator[pa.RecordBatch]:
        """What a scan makes of the ranges; then that each was read, and what of it was gone. Raises `Unfetched`."""
        for part in ranges:
            lost: list[tuple[int, int]] = []
            try:
                yield from scan(self.read(part, lost))
            except KafkaException as error:
                raise Unfetched(f"{part}: {error}") from error
            place = {"topic": part.topic, "partition": part.partition}
            for first, behind in lost:
                yield table({"row": "lost", "first_offset": first, "last_offset": behind - 1, "records": 0, **place}, 1)
            # Its end may be no record, but a transaction's mark.
            bounds = {"first_offset": part.begin, "last_offset": part.end - 1, "records": 0}
            yield table({"row": "range", **bounds, **place}, 1)

    def read(self, part: Range, lost: list[tuple[int, int]]) -> Iterator[pa.RecordBatch]:
        """The range's records in order; ranges that the log no longer has are appended to `lost` (first, behind the last).

        Raises `Unfetched` and `KafkaException`; the same range may be read again then.
        """
        place = self._places.get((part.name, part.partition))
        if place is None or place.at != part.begin:
            place = self._start(part, part.begin)
        while place.at < part.end:
            got = place.ahead.popleft() if place.ahead else self._next(part, place)
            if got is None:
                place = self._go_on(part, place, lost)
                continue
            offsets, values = got
            mine = int(np.searchsorted(offsets, part.end))
            if mine < len(offsets):
                place.ahead.appendleft((offsets[mine:], values[mine:]))
                place.at = part.end
            else:
                place.at = int(offsets[-1]) + 1
            if mine:
                yield record_batch(part, offsets[:mine], values[:mine])

    def rest(self) -> None:
        """Reads nothing ahead any more."""
        for name, partition in self._places:
            self._source.stop(name, partition)
        self._places.clear()

    def close(self) -> None:
        self._source.close()

    def _start(self, part: Range, offset: int) -> Place:
        self._source.start(part.name, part.partition, offset)
        place = self._places[part.name, part.partition] = Place(offset)
        return place

    def _next(self, part: Range, place: Place) -> tuple[NDArray[np.int64], pa.Array] | None:
        """Records, as many as are there; None where none come any more until the range's end, or from here."""
        limit = time.monotonic() + self._patience_s
        wait_s = 0.0
        while place.met_end < part.end and not place.error:
            # Waiting would be until all are there: it is for one, and what came with it is taken without.
            most = 1 if wait_s else part.end - place.at
            got = self._source.read(part.name, part.partition, most, wait_s)
            place.met_end, place.error = max(place.met_end, got.end), got.error
            if len(got.offsets):
                return got.offsets, got.values
            if time.monotonic() > limit:
                said = self._source.said or "the broker has nothing to say"
                raise Unfetched(f"{part}: no record at {place.at} for {self._patience_s:.0f} s; {said}")
            wait_s = LOOK_S
        return None

    def _go_on(self, part: Range, place: Place, lost: list[tuple[int, int]]) -> Place:
        """Behind the marks of transactions that end a range; or where the log begins now, if that is later."""
        if not place.error:
            place.at = part.end
            return place
        if place.error != KafkaError._AUTO_OFFSET_RESET:
            raise Unfetched(f"{part}: {KafkaError(place.error).str()}")
        first, end = self._source.bounds(part.name, part.partition, self._patience_s)
        if place.at > end:
            raise Unfetched(f"{part}: the log ends at {end}")
        if first > place.at:
            lost.append((place.at, min(first, part.end)))
        return self._start(part, max(place.at, first))


def record_batch(part: Range, offsets: NDArray[np.int64], values: pa.Array) -> pa.RecordBatch:
    columns = [
        pa.array(np.full(len(offsets), part.topic, np.int32)),
        pa.array(np.full(len(offsets), part.partition, np.int32)),
        pa.array(offsets),
        values,
    ]
    return pa.RecordBatch.from_arrays(columns, ["topic", "partition", "offset", "value"])


def fetcher(kafka: Mapping[str, str]) -> Fetcher:
    return Fetcher(Client(FETCH | dict(kafka)))


@dataclass(frozen=True)
class Task:
    """`mapInArrow`'s function over the numbers of ranges: where a number comes to, its range is fetched and scanned.

    `epoch` is the driver's: another one may have found the topics made anew.
    """

    scan: Scan
    kafka: tuple[tuple[str, str], ...]
    epoch: int
    ranges: tuple[Range, ...]

    def packed(self, batches: Iterator[pa.RecordBatch]) -> Iterator[pa.RecordBatch]:
        leave_imports_alone()
        return pack(self(batches))

    def __call__(self, batches: Iterator[pa.RecordBatch]) -> Iterator[pa.RecordBatch]:
        ranges = [self.ranges[number] for batch in batches for number in batch[0].to_pylist()]
        try:
            yield from workers_own(self.epoch, self.kafka).partials(self.scan, ranges)
        except Unfetched as error:
            # A row: what ends a task comes to the driver as Spark's words about it.
            yield table({"row": "unfetched", "detail": str(error)}, 1)


_own: dict[tuple[int, tuple[tuple[str, str], ...]], Fetcher] = {}


def workers_own(epoch: int, kafka: tuple[tuple[str, str], ...]) -> Fetcher:
    """The fetcher of this process, which lives on between tasks, as the worker does."""
    if (epoch, kafka) not in _own:
        for older in _own.values():
            older.close()
        _own.clear()
        _own[epoch, kafka] = fetcher(dict(kafka))
    return _own[epoch, kafka]


def warm_up(_: Iterable[pa.RecordBatch] = ()) -> Iterator[pa.RecordBatch]:
    """A scan of nothing, as `mapInArrow`'s function: what fetches and scans is imported and compiled then."""
    rdkafka.load()
    nothing = record_batch(Range(0, "", 0, 0, 1), np.zeros(1, np.int64), pa.array([b""], pa.binary()))
    leave_imports_alone()
    return pack(Scan({}, "", Known.of([]))(iter([nothing])))
