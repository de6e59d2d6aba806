"""Minutes of a session as they are drawn above the assertions: ■ a bar, · none; each sign is a minute from the open."""

from dataclasses import replace
from typing import Any

from ingestion.gaps.ledger import Evidence, judge
from market.calendars import Session

MINUTE_MS = 60_000
DAY_MS = 86_400_000


def drawn(session: Session, line: str) -> list[int]:
    """The minutes with a bar in a drawing."""
    return [session.open_ms + position * MINUTE_MS for position, sign in enumerate(line) if sign == "■"]


def evidence(session: Session, line: str, **fields: Any) -> Evidence:
    """What is known when the last drawn minute is long past, and nothing else."""
    end_ms = session.open_ms + len(line) * MINUTE_MS
    known = Evidence(
        session=replace(session, close_ms=end_ms),
        present=drawn(session, line),
        covered=[],
        outages=[],
        throttles=[],
        volumes={},
        now_ms=end_ms + 3_600_000,
        due_ms=120_000,
        reach_ms=29 * DAY_MS,
    )
    return replace(known, **fields)


def told(session: Session, known: Evidence) -> list[tuple[int, int, str]]:
    """(first minute, minutes, reason) of what is missing."""
    return [((s.start_ms - session.open_ms) // MINUTE_MS, s.minutes, s.reason) for s in judge(known).spans]


def part(session: Session, first: int, last: int) -> tuple[int, int]:
    return session.open_ms + first * MINUTE_MS, session.open_ms + last * MINUTE_MS
