"""What a poll asks for, and in which order. Pure."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import date, timedelta
from functools import lru_cache

from ingestion.gaps.ledger import Range
from ingestion.poll.pace import Pace
from ingestion.providers.base import DAY_MS, Answer, Provider
from ingestion.records.instruments import Instrument
from market.calendars import Session, session_at, session_of, sessions
from market.contracts import PROVIDER_SETTLE_MS
from market.timeframes import MINUTE_MS

# Before the open and after the close trades go on, and are asked for now and then; in the night and at weekends hardly.
EXTENDED_MS = 6 * 60 * MINUTE_MS
EXTENDED_EVERY_MS = 15 * MINUTE_MS
CLOSED_EVERY_MS = 6 * 60 * MINUTE_MS
# Where the session before is not confirmed to its bell; the first time that is at once, for nobody has asked for long.
EARLIER_EVERY_MS = 5 * MINUTE_MS
NEVER_MS = 0
# A provider's newest days are five: what is missing since before these four is asked for by its date.
NEWEST_DAYS_MS = 4 * DAY_MS
# The longest that an exchange of ours stays closed.
LONGEST_CLOSURE = timedelta(days=14)


@dataclass(frozen=True, slots=True)
class Asked:
    """When a symbol's minutes were last asked for; how far those of this session are confirmed, from its open without a hole; the
    open of the session before, where the provider has not spoken for it to its bell. When its newest day was fetched, of which
    session's open it is, whether by the provider's complete row; the first session without one. Milliseconds, 0 for never.
    """

    minutes_ms: int = NEVER_MS
    covered_ms: int = NEVER_MS
    day_ms: int = NEVER_MS
    day_opens_ms: int = NEVER_MS
    day_is_confirmed: bool = False
    earlier_ms: int = NEVER_MS
    days_ms: int = NEVER_MS


@dataclass(frozen=True, slots=True)
class Work:
    """What to ask for: the newest session's minutes or the newest days, or all from `since_ms` on."""

    timeframe: str
    instrument: Instrument
    since_ms: int | None = None

    def ask(self, provider: Provider) -> Answer:
        """Raises `ProviderError`."""
        if self.since_ms is None:
            return provider.newest(self.instrument.symbol, self.timeframe)
        return provider.history(self.instrument.symbol, self.timeframe, self.since_ms, None)


def pace_of(instruments: Iterable[Instrument], per_minute: float, now_ms: int) -> Pace:
    """The pace of those whose exchange is open."""
    is_open = [session_at(instrument.calendar, now_ms) is not None for instrument in instruments]
    return Pace(sum(is_open), per_minute, is_open.count(False))


def plan(instruments: Iterable[Instrument], asked: Mapping[str, Asked], pace: Pace, now_ms: int) -> list[Work]:
    """What is due, those first that have waited longest."""
    due: list[tuple[int, int, Work]] = []
    for position, instrument in enumerate(instruments):
        last = asked.get(instrument.symbol, Asked())
        session = session_of(instrument.calendar, now_ms)
        if minutes_are_due(last, session, now_ms):
            due.append((last.minutes_ms, position, Work("1m", instrument, last.earlier_ms or None)))
        if day_is_due(last, session, pace, now_ms):
            due.append((last.day_ms, position, Work("1d", instrument, days_since(last, now_ms))))
    return [work for _, _, work in sorted(due, key=lambda entry: entry[:2])]


def minutes_are_due(last: Asked, session: Session, now_ms: int) -> bool:
    """Whether there can be news: the exchange is open, or the provider has not confirmed this session, or the one before, to its
    bell."""
    if session.open_ms <= now_ms < session.close_ms or last.minutes_ms == NEVER_MS:
        return True
    since_ms = now_ms - last.minutes_ms
    if now_ms >= session.close_ms and last.covered_ms < session.close_ms:
        return now_ms >= session.close_ms + PROVIDER_SETTLE_MS and since_ms >= MINUTE_MS // 2
    if last.earlier_ms:
        return since_ms >= EARLIER_EVERY_MS
    near = session.open_ms - EXTENDED_MS <= now_ms < session.close_ms + EXTENDED_MS
    return since_ms >= (EXTENDED_EVERY_MS if near else CLOSED_EVERY_MS)


def day_is_due(last: Asked, session: Session, pace: Pace, now_ms: int) -> bool:
    if last.day_ms == NEVER_MS:
        return True
    is_newest = last.day_opens_ms >= session.open_ms or now_ms < session.open_ms
    if is_newest and last.day_is_confirmed:
        return now_ms - last.day_ms >= CLOSED_EVERY_MS
    return now_ms - last.day_ms >= pace.days_between * MINUTE_MS


def days_since(last: Asked, now_ms: int) -> int | None:
    """From when on days are asked for, None where the newest will do: after an outage there may be older ones to confirm."""
    return last.days_ms if NEVER_MS < last.days_ms < now_ms - NEWEST_DAYS_MS else None


def confirmed(calendar: str, covered: Mapping[date, Sequence[Range]], now_ms: int) -> tuple[int, int]:
    """(`covered_ms`, `earlier_ms`) of `Asked`, from what the provider has spoken for of each of the last sessions.

        session before    |-------------------|        open, unless the provider has spoken for all of it
        covered           |-------|   |-|              (a hole that was healed is no proof for what lies before it)

    What lies before the first session of which it has spoken at all was never asked for.
    """
    session = session_of(calendar, now_ms)
    earlier = session_before(calendar, session.session_date)
    earlier_ms = NEVER_MS
    if earlier is not None and any(day <= earlier.session_date for day in covered):
        is_whole = through(earlier, covered.get(earlier.session_date, ())) >= earlier.close_ms
        earlier_ms = NEVER_MS if is_whole else earlier.open_ms
    return through(session, covered.get(session.session_date, ())), earlier_ms


def through(session: Session, covered: Sequence[Range]) -> int:
    """How far it is covered from its open on, 0 where not at all."""
    return max((end_ms for start_ms, end_ms in covered if start_ms <= session.open_ms < end_ms), default=NEVER_MS)


@lru_cache(maxsize=256)
def session_before(calendar: str, day: date) -> Session | None:
    found = sessions(calendar, day - LONGEST_CLOSURE, day - timedelta(days=1))
    return found[-1] if found else None
