"""The Kafka topics: names, partitions and retention. All records are keyed by symbol (clock records by partition)."""

from dataclasses import dataclass

DAY_MS = 86_400_000


@dataclass(frozen=True, slots=True)
class Topic:
    """A topic as it is created; retention in milliseconds and bytes a partition, whichever is reached first."""

    name: str
    partitions: int
    retention_ms: int
    retention_bytes: int

    def full_name(self, prefix: str) -> str:
        """The name on the broker: `prefix` keeps simulated and replayed data apart from real data."""
        return prefix + self.name


# Every partition of a backlog is a Spark task: on two cores two partitions beat four (docs/benchmarks.md).
EVENTS = Topic("market.events.v1", partitions=2, retention_ms=3 * DAY_MS, retention_bytes=1 << 30)
HISTORY = Topic("market.history.v1", partitions=2, retention_ms=3 * DAY_MS, retention_bytes=1 << 30)
DEAD_LETTERS = Topic("market.dead_letters.v1", partitions=1, retention_ms=14 * DAY_MS, retention_bytes=1 << 28)

TOPICS = (EVENTS, HISTORY, DEAD_LETTERS)


def prefix_for(source: str) -> str:
    """The topic prefix of a source: none for real data, the source's name for all else."""
    return "" if source == "yahoo" else f"{source}."
