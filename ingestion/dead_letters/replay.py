"""Sends dead letters again: each with its first receive time, once, and with what became of it written down.

Merging is idempotent, so a replay whose note was lost does no harm when it is made again.
"""

import time
from collections import Counter
from dataclasses import asdict, dataclass, field

import structlog

from ingestion import tables
from ingestion.database import Database
from ingestion.dead_letters import letters
from ingestion.dead_letters.letters import Letter, Which
from ingestion.dead_letters.originals import Known, record_of
from ingestion.errors import NotReplayed
from ingestion.providers.base import LiveProvider
from ingestion.publisher import Publisher
from market.contracts import Record
from market.errors import Rejected

log = structlog.get_logger()

FLUSH_S = 60.0
# How long the stream is given to commit what was sent, so that a second refusal is told here and now.
VERDICT_S = 15.0
LOOK_S = 0.25
DONE = ("sent", "replayed")
BATCH = 500


@dataclass(slots=True)
class Summary:
    """What a replay did, in numbers."""

    letters: int = 0
    # Sent before and not refused since.
    skipped: int = 0
    sent: int = 0
    replayed: int = 0
    # Still wrong: found so before they were sent, or by the stream again.
    refused: int = 0
    failed: int = 0
    # Sent, and the stream had not come to them yet.
    unjudged: int = 0
    why: list[str] = field(default_factory=list)
    seconds: float = 0.0

    def as_dict(self) -> dict[str, object]:
        return {"command": "dead-letters", **asdict(self), "seconds": round(self.seconds, 2)}


def replay(
    database: Database, provider: LiveProvider, publisher: Publisher, source: str, which: Which, again: bool = False
) -> Summary:
    """Replays the letters that were not, or whose last replay failed; with `again` also the others."""
    started_s = time.monotonic()
    summary = Summary()
    known = Known(
        tables.instruments(database), lambda symbol: tables.stored_splits(database, symbol), source, provider.decode
    )
    sent: list[int] = []
    batch: list[tuple[Letter, Record, bool]] = []
    for letter in letters.find(database, which):
        summary.letters += 1
        if letter.state in DONE and not again:
            summary.skipped += 1
            continue
        try:
            record, to_history = record_of(letter, known)
        except (Rejected, NotReplayed) as error:
            summary.refused += 1
            summary.why.append(f"{letter.id}: {error}"[:200])
            letters.note_refused(database, letter.id, str(error)[:500])
            continue
        batch.append((letter, record, to_history))
        if len(batch) == BATCH:
            sent += send(database, publisher, batch)
            batch.clear()
    sent += send(database, publisher, batch)
    summary.sent = len(sent)
    states = verdict(database, sent)
    summary.replayed, summary.failed, summary.unjudged = states["replayed"], states["failed"], states["sent"]
    summary.why = summary.why[:20]
    summary.seconds = time.monotonic() - started_s
    return summary


def send(database: Database, publisher: Publisher, batch: list[tuple[Letter, Record, bool]]) -> list[int]:
    """The ids of the letters whose records the broker has, each with its place noted."""
    places: dict[int, tuple[str, int, int]] = {}
    for letter, record, to_history in batch:
        publisher.send_placed(record, to_history, lambda *place, key=letter.id: places.__setitem__(key, place))
    publisher.flush(FLUSH_S)
    for letter, _, _ in batch:
        how = "as edited" if letter.edited is not None else "as it was"
        letters.note_sent(database, letter.id, *places[letter.id], how)
    return list(places)


def verdict(database: Database, sent: list[int]) -> Counter[str]:
    """What the stream made of them, as far as it has committed them in the time it is given."""
    ends_s = time.monotonic() + VERDICT_S
    states: Counter[str] = Counter()
    while sent:
        rows = database.run("SELECT state, count(*) FROM v1.dead_letters WHERE id = ANY(%s) GROUP BY state", (sent,))
        states = Counter(dict(rows))
        if not states["sent"] or time.monotonic() > ends_s:
            break
        time.sleep(LOOK_S)
    return states
