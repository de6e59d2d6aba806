"""Dead letters in PostgreSQL: found, edited, and what became of their replays. The originals are never changed."""

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from ingestion.database import Database
from ingestion.errors import NotReplayed

PAGE = 500

FIELDS = (
    "id, stage, reason, detail, symbol, payload, topic, kafka_partition, kafka_offset, received_at, created_at, state,"
    " edited_payload, replayed_at, replays, replay_detail"
)


@dataclass(frozen=True, slots=True)
class Letter:
    """A row of `v1.dead_letters`. `payload` is the original; `edited` what a person made of it, None where nobody did."""

    id: int
    stage: str
    reason: str
    detail: str
    symbol: str
    payload: bytes
    topic: str
    partition: int
    offset: int
    received_at: datetime
    created_at: datetime
    state: str
    edited: bytes | None
    replayed_at: datetime | None
    replays: int
    replay_detail: str | None

    @property
    def to_replay(self) -> bytes:
        return self.payload if self.edited is None else self.edited

    @property
    def fetched_ms(self) -> int:
        """When the record was first received, milliseconds since the epoch."""
        return round(self.received_at.timestamp() * 1000)


@dataclass(frozen=True, slots=True)
class Which:
    """Which letters are meant; what is empty or None leaves nothing out. `mendable`: of symbols that are known by now."""

    ids: tuple[int, ...] = ()
    symbol: str | None = None
    reason: str | None = None
    states: tuple[str, ...] = ()
    mendable: bool = False


def find(database: Database, which: Which, limit: int | None = None, newest_first: bool = False) -> Iterator[Letter]:
    """The letters, read a page at a time. One that is itself the echo of a replay speaks through the letter it came from."""
    last, left = 0, limit
    while left is None or left > 0:
        size = PAGE if left is None else min(PAGE, left)
        order = "id DESC" if newest_first else "id"
        edge = "(%s = 0 OR id < %s)" if newest_first else "(%s = 0 OR id > %s)"
        rows = database.run(
            f"SELECT {FIELDS} FROM v1.dead_letters d WHERE {edge}"  # noqa: S608  (constants)
            " AND (replay_of IS NULL OR id = ANY(%s)) AND (%s = '{}' OR id = ANY(%s)) AND (%s IS NULL OR symbol = %s)"
            " AND (%s IS NULL OR reason = %s) AND (%s = '{}' OR state = ANY(%s))"
            " AND (NOT %s OR (reason = 'unknown_symbol' AND EXISTS"
            "      (SELECT FROM core.instruments i WHERE i.symbol = d.symbol AND i.state = 'ok')))"
            f" ORDER BY {order} LIMIT %s",
            (
                last,
                last,
                list(which.ids),
                list(which.ids),
                list(which.ids),
                which.symbol,
                which.symbol,
                which.reason,
                which.reason,
                list(which.states),
                list(which.states),
                which.mendable,
                size,
            ),
        )
        for row in rows:
            yield letter_of(row)
        if len(rows) < size:
            return
        last, left = rows[-1][0], None if left is None else left - len(rows)


def get(database: Database, letter_id: int) -> Letter:
    """Raises `NotReplayed` when there is no such letter."""
    found = next(find(database, Which(ids=(letter_id,))), None)
    if found is None:
        raise NotReplayed(f"there is no dead letter {letter_id}: `dead-letters list` shows what there is")
    return found


def letter_of(row: tuple[Any, ...]) -> Letter:
    """psycopg2 gives memoryviews of bytes."""
    values = list(row)
    values[5] = bytes(values[5])
    values[12] = None if values[12] is None else bytes(values[12])
    return Letter(*values)


def save_edit(database: Database, letter_id: int, payload: bytes) -> None:
    database.run(
        "INSERT INTO core.dead_letter_edits (letter_id, payload) VALUES (%s, %s)"
        " ON CONFLICT (letter_id) DO UPDATE SET payload = EXCLUDED.payload, edited_at = now()",
        (letter_id, payload),
    )


def note_refused(database: Database, letter_id: int, detail: str) -> None:
    database.run(
        "INSERT INTO core.dead_letter_replays (letter_id, outcome, detail) VALUES (%s, 'refused', %s)",
        (letter_id, detail),
    )


def note_sent(database: Database, letter_id: int, topic: str, partition: int, offset: int, detail: str) -> None:
    database.run(
        "INSERT INTO core.dead_letter_replays (letter_id, outcome, detail, topic, kafka_partition, kafka_offset)"
        " VALUES (%s, 'sent', %s, %s, %s, %s)",
        (letter_id, detail, topic, partition, offset),
    )
