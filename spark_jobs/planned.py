"""What Spark planned for a batch, and who reads it.

Spark's Kafka source decides how far a batch goes (what there is, what a batch may take of each topic); where it begins is the
ledger's to say. The records do not come through Spark: who scans them fetches them.
"""

import json
from concurrent.futures import Future

import pyarrow as pa
import pyarrow.compute as pc
from pyspark.sql import SparkSession
from pyspark.sql.streaming import StreamingQuery

from spark_jobs.database.ledger import LedgerMoved, Positions
from spark_jobs.scan.fetch import Fetcher, Range, Task, Unfetched, fetcher
from spark_jobs.scan.one_pass import Scan
from spark_jobs.scan.partials import PACKED_DDL, PARTIALS, unpack
from spark_jobs.settings import Settings
from spark_jobs.topics import TOPIC_CODES

Ends = dict[tuple[str, int], int]  # (full topic name, partition) → the offset behind the last


class Planned:
    """The ranges of the batch that runs now, and their partials. One for each epoch of a driver."""

    def __init__(self, settings: Settings, epoch: int) -> None:
        self._settings = settings
        self._epoch = epoch
        self._fetcher: Fetcher = fetcher(settings.kafka)
        # Set when the query has begun, which its first batch may be before.
        self.query: Future[StreamingQuery] = Future()

    def ranges(self, positions: Positions) -> list[Range]:
        """Raises `LedgerMoved` where the log is not the one that the ledger speaks of."""
        return ranges(planned_ends(self.query.result()), positions, self._settings.topic_prefix)

    def partials(self, spark: SparkSession, scan: Scan, parts: list[Range]) -> pa.Table:
        """What the scan gives, run here or by the executors, by how many records are planned. Raises `Unfetched`.

        The way through a task costs more than the decoding of some thousand records, and those are in memory here already.
        """
        if sum(part.end - part.begin for part in parts) < self._settings.executors_from:
            return pa.Table.from_batches(self._fetcher.partials(scan, parts), PARTIALS)
        self._fetcher.rest()
        task = Task(scan, tuple(self._settings.kafka.items()), self._epoch, tuple(parts))
        numbers = spark.range(0, len(parts), 1, len(parts))
        found = unpack(numbers.mapInArrow(task.packed, PACKED_DDL).toArrow())
        failed = found.filter(pc.equal(found["row"], "unfetched"))
        if failed.num_rows:
            raise Unfetched("; ".join(failed["detail"].to_pylist()))
        return found

    def close(self) -> None:
        self._fetcher.close()


def planned_ends(query: StreamingQuery) -> Ends:
    """As Spark has them for the batch that it runs: its source writes them as JSON, as into a checkpoint."""
    offsets = query._jsq.streamingQuery().availableOffsets()
    return read_ends(offsets.values().mkString("\n"))


def read_ends(lines: str) -> Ends:
    """Of JSON objects, a source each, a line each: topic → partition → offset."""
    sources = [json.loads(line) for line in lines.splitlines()]
    return {
        (topic, int(partition)): offset
        for source in sources
        for topic, partitions in source.items()
        for partition, offset in partitions.items()
    }


def ranges(ends: Ends, positions: Positions, prefix: str) -> list[Range]:
    """From the ledger to the planned ends, the longest first. Raises `LedgerMoved`."""
    parts = []
    for (name, partition), end in ends.items():
        topic = TOPIC_CODES[name.removeprefix(prefix)]
        at = positions.get((topic, partition))
        if at is None:
            if end == 0:
                continue
            raise LedgerMoved("a topic has more partitions than when the stream began")
        if end < at.next_offset:
            raise LedgerMoved(f"{name}[{partition}] ends at {end}, the ledger stands at {at.next_offset}")
        if end > at.next_offset:
            parts.append(Range(topic, name, partition, at.next_offset, end))
    return sorted(parts, key=lambda part: part.begin - part.end)
