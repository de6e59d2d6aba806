"""What a poll asks for, and in which order. Pure."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass

from ingestion.instruments import Instrument
from ingestion.pace import MINUTE_MS, Pace
from market.calendars import Session, session_at, session_of
from market.contracts import PROVIDER_SETTLE_MS

# Before the open and after the close trades go on, and are asked for now and then; in the night and at weekends hardly.
EXTENDED_MS = 6 * 60 * MINUTE_MS
EXTENDED_EVERY_MS = 15 * MINUTE_MS
CLOSED_EVERY_MS = 6 * 60 * MINUTE_MS
NEVER_MS = 0


@dataclass(frozen=True, slots=True)
class Asked:
    """When a symbol's minutes were last asked for and how far they are confirmed; when its newest day was fetched, and of which
    session's open it is. Milliseconds, 0 for never."""

    minutes_ms: int = NEVER_MS
    covered_ms: int = NEVER_MS
    day_ms: int = NEVER_MS
    day_opens_ms: int = NEVER_MS
    day_is_final: bool = False


@dataclass(frozen=True, slots=True)
class Work:
    timeframe: str
    instrument: Instrument


def pace_of(instruments: Iterable[Instrument], per_minute: float, now_ms: int) -> Pace:
    """The pace of those whose exchange is open."""
    return Pace(sum(session_at(i.calendar, now_ms) is not None for i in instruments), per_minute)


def plan(instruments: Iterable[Instrument], asked: Mapping[str, Asked], pace: Pace, now_ms: int) -> list[Work]:
    """What is due, those first that have waited longest."""
    due: list[tuple[int, int, Work]] = []
    for position, instrument in enumerate(instruments):
        last = asked.get(instrument.symbol, Asked())
        session = session_of(instrument.calendar, now_ms)
        if minutes_are_due(last, session, now_ms):
            due.append((last.minutes_ms, position, Work("1m", instrument)))
        if day_is_due(last, session, pace, now_ms):
            due.append((last.day_ms, position, Work("1d", instrument)))
    return [work for _, _, work in sorted(due, key=lambda entry: entry[:2])]


def minutes_are_due(last: Asked, session: Session, now_ms: int) -> bool:
    """Whether there can be news: the exchange is open, or the provider has not confirmed the session to its bell."""
    if session.open_ms <= now_ms < session.close_ms or last.minutes_ms == NEVER_MS:
        return True
    since_ms = now_ms - last.minutes_ms
    if now_ms >= session.close_ms and last.covered_ms < session.close_ms:
        return now_ms >= session.close_ms + PROVIDER_SETTLE_MS and since_ms >= MINUTE_MS // 2
    near = session.open_ms - EXTENDED_MS <= now_ms < session.close_ms + EXTENDED_MS
    return since_ms >= (EXTENDED_EVERY_MS if near else CLOSED_EVERY_MS)


def day_is_due(last: Asked, session: Session, pace: Pace, now_ms: int) -> bool:
    if last.day_ms == NEVER_MS:
        return True
    if now_ms < session.open_ms or (last.day_opens_ms >= session.open_ms and last.day_is_final):
        return now_ms - last.day_ms >= CLOSED_EVERY_MS
    return now_ms - last.day_ms >= pace.days_between * MINUTE_MS
