"""Where the next batch begins: Kafka offsets in the same transaction as the rows, moved by compare-and-set."""

from dataclasses import dataclass
from datetime import datetime

from psycopg2.extensions import connection as Connection
from psycopg2.extensions import cursor as Cursor
from psycopg2.extras import execute_values

QUERY = "stream"


class LedgerError(Exception):
    """The ledger is not where this driver believes it to be."""


class Fenced(LedgerError):
    """Another driver has taken the query: this one must stop."""


class LedgerMoved(LedgerError):
    """The ledger stands elsewhere than the batch begins (a database restored, a topic made anew): plan again."""


@dataclass(slots=True)
class Position:
    """A partition of a topic: its next offset, and the clock it was last told."""

    topic_id: str
    topic: str
    next_offset: int
    clock_ms: int = 0
    clock_since_ms: int = 0


# (topic code, partition) → where it stands.
Positions = dict[tuple[int, int], Position]


def claim_epoch(connection: Connection, owner: str) -> int:
    """Makes this driver the only one whose compare-and-set succeeds."""
    with connection, connection.cursor() as cursor:
        cursor.execute(
            """INSERT INTO core.stream_epochs AS e (query, epoch, owner) VALUES (%s, 1, %s)
               ON CONFLICT (query) DO UPDATE SET epoch = e.epoch + 1, owner = excluded.owner, started_at = now()
               RETURNING epoch""",
            (QUERY, owner),
        )
        row = cursor.fetchone()
        assert row is not None  # noqa: S101  (RETURNING of an upsert always gives a row)
        epoch = int(row[0])
        cursor.execute("UPDATE core.stream_offsets SET epoch = %s WHERE query = %s", (epoch, QUERY))
    return epoch


def read_positions(cursor: Cursor, cluster_id: str) -> dict[tuple[str, int], Position]:
    """(topic id, partition) → position, of this query on this cluster."""
    cursor.execute(
        """SELECT topic_id, partition, topic, next_offset, clock_ms, clock_since_ms FROM core.stream_offsets
           WHERE query = %s AND cluster_id = %s""",
        (QUERY, cluster_id),
    )
    return {(row[0], row[1]): Position(row[0], row[2], row[3], row[4], row[5]) for row in cursor.fetchall()}


def begin_partition(cursor: Cursor, cluster_id: str, epoch: int, partition: int, position: Position) -> None:
    """A partition that the ledger does not have yet, or whose lost range is given up: `next_offset` is where it goes on."""
    cursor.execute(
        """INSERT INTO core.stream_offsets (query, cluster_id, topic_id, partition, topic, next_offset, epoch)
           VALUES (%s, %s, %s, %s, %s, %s, %s)
           ON CONFLICT (query, cluster_id, topic_id, partition) DO UPDATE SET next_offset = excluded.next_offset,
               epoch = excluded.epoch, updated_at = now()""",
        (QUERY, cluster_id, position.topic_id, partition, position.topic, position.next_offset, epoch),
    )


@dataclass(frozen=True, slots=True)
class Advance:
    """A partition's step: from the offset where the ledger is believed to stand to the next one."""

    partition: int
    position: Position
    next_offset: int
    clock_ms: int
    clock_since_ms: int


def advance(cursor: Cursor, cluster_id: str, epoch: int, steps: list[Advance]) -> None:
    """Moves the ledger, in the caller's transaction. Raises `Fenced` or `LedgerMoved`, and then nothing may be committed."""
    moved = execute_values(
        cursor,
        """UPDATE core.stream_offsets AS o
           SET next_offset = s.next_offset, clock_ms = s.clock_ms, clock_since_ms = s.clock_since_ms, updated_at = now()
           FROM (VALUES %s) AS s (query, cluster_id, epoch, topic_id, partition, begin_offset, next_offset, clock_ms,
                                  clock_since_ms)
           WHERE o.query = s.query AND o.cluster_id = s.cluster_id AND o.topic_id = s.topic_id
               AND o.partition = s.partition AND o.epoch = s.epoch AND o.next_offset = s.begin_offset
           RETURNING o.partition""",
        [
            (
                QUERY,
                cluster_id,
                epoch,
                step.position.topic_id,
                step.partition,
                step.position.next_offset,
                step.next_offset,
                step.clock_ms,
                step.clock_since_ms,
            )
            for step in steps
        ],
        page_size=len(steps) or 1,
        fetch=True,
    )
    if len(moved) != len(steps):
        check_epoch(cursor, epoch)
        raise LedgerMoved(f"{len(steps) - len(moved)} of {len(steps)} partitions do not stand where the batch begins")


def check_epoch(cursor: Cursor, epoch: int) -> None:
    """Raises `Fenced` when a later driver has claimed the query, `LedgerMoved` when the database does not know our claim.

    Until the caller's transaction ends no other driver can claim it.
    """
    cursor.execute("SELECT epoch, owner FROM core.stream_epochs WHERE query = %s FOR SHARE", (QUERY,))
    row = cursor.fetchone()
    if row is None or row[0] < epoch:
        raise LedgerMoved(f"an older database: it knows epoch {row[0] if row else 'none'}, this driver's is {epoch}")
    if row[0] > epoch:
        raise Fenced(f"this driver's epoch is {epoch}, the ledger's {row[0]} of {row[1]}")


def began_at(cursor: Cursor) -> datetime:
    """When the transaction began: the `updated_at` of the rows that it writes."""
    cursor.execute("SELECT now()")
    at: datetime
    [(at,)] = cursor.fetchall()
    return at


def note_commit(connection: Connection, began: datetime) -> None:
    """When the transaction that began then was committed: just now. It is not waited for until it is on disk: where it is
    missing after a crash, the beginning counts."""
    with connection, connection.cursor() as cursor:
        cursor.execute("SET LOCAL synchronous_commit TO off")
        cursor.execute(
            "INSERT INTO core.commits (began_at, committed_at) VALUES (%s, clock_timestamp()) ON CONFLICT DO NOTHING",
            (began,),
        )
