"""Which minutes an answer of the provider spoke for. A minute in there that has no bar had none at the provider. Pure."""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass, replace
from datetime import UTC, date, datetime, timedelta

from ingestion.providers.base import DAY_MS, Answer, Row
from market.calendars import Session, session_of, sessions
from market.contracts import FIRST_MS, PROVIDER_SETTLE_MS, Bar
from market.timeframes import MINUTE_MS

# A session's minutes are with the provider at the latest so long after they ended: many exchanges are given 15 to 20 minutes late.
LONGEST_LAG_MS = 30 * MINUTE_MS


@dataclass(frozen=True, slots=True)
class Covered:
    """From `start_ms` to before `end_ms`, within one session; `fetched_ms` is when it was asked for. `is_whole`: open to close."""

    session_date: date
    start_ms: int
    end_ms: int
    fetched_ms: int
    is_whole: bool = False


def of_newest(answer: Answer, calendar: str) -> list[Covered]:
    """An answer about the newest session: the one its rows are of, and the one that was open when it was asked for.

    One without rows speaks for nothing: a provider that has lost its data looks like that too.
    """
    if not answer.rows:
        return []
    moments = [answer.asked_ms, *times(answer.rows[-1:], answer)]
    found = {session_of(calendar, ms).session_date: session_of(calendar, ms) for ms in moments}
    return [piece for session in found.values() for piece in within(answer, session, session.open_ms, session.close_ms)]


def of_window(answer: Answer, calendar: str, start_ms: int, end_ms: int | None) -> list[Covered]:
    """An answer about a window; without an end it goes to when it was asked for.

    One without rows is believed of what is a day old.
    """
    until_ms = answer.asked_ms if end_ms is None else min(end_ms, answer.asked_ms)
    if not answer.rows and until_ms > answer.asked_ms - DAY_MS:
        return []
    first, last = day(start_ms) - timedelta(days=1), day(until_ms) + timedelta(days=1)
    return [
        piece
        for session in sessions(calendar, first, last)
        for piece in within(answer, session, max(session.open_ms, start_ms), min(session.close_ms, until_ms))
    ]


def within(answer: Answer, session: Session, start_ms: int, end_ms: int) -> Iterator[Covered]:
    """The settled part of a session. A provider that lags looks like a market that rests: only what lies before the newest row is
    known, and what is older than a provider ever lags; all of it once the bell has gone and there is a row of the last minute."""
    settled_ms = answer.asked_ms - PROVIDER_SETTLE_MS
    newest_ms = max(times(answer.rows[-2:], answer), default=start_ms)
    if settled_ms < session.close_ms or newest_ms < session.close_ms - MINUTE_MS:
        settled_ms = min(settled_ms, max(newest_ms, answer.asked_ms - LONGEST_LAG_MS))
    end_ms = min(end_ms, settled_ms // MINUTE_MS * MINUTE_MS)
    if start_ms < end_ms:
        is_whole = (start_ms, end_ms) == (session.open_ms, session.close_ms)
        yield Covered(session.session_date, start_ms, end_ms, answer.asked_ms, is_whole)


def times(rows: Iterable[Row], answer: Answer) -> list[int]:
    """When the rows begin, but for those that the contract refuses: what is said of another century speaks for nothing."""
    return [row.ts_ms for row in rows if FIRST_MS <= row.ts_ms <= answer.asked_ms + Bar.MAX_AHEAD_MS]


def clipped(pieces: Iterable[Covered], ranges: Iterable[tuple[int, int]]) -> Iterator[Covered]:
    """Of what an answer spoke for, what lies in the ranges: where only their bars were sent on, only they are accounted for."""
    wanted = list(ranges)
    for piece in pieces:
        for start_ms, end_ms in wanted:
            start_ms, end_ms = max(start_ms, piece.start_ms), min(end_ms, piece.end_ms)
            if start_ms < end_ms:
                is_whole = piece.is_whole and (start_ms, end_ms) == (piece.start_ms, piece.end_ms)
                yield replace(piece, start_ms=start_ms, end_ms=end_ms, is_whole=is_whole)


def day(ts_ms: int) -> date:
    return datetime.fromtimestamp(ts_ms / 1000, UTC).date()
