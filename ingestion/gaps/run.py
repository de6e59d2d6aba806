"""One look over the tracked symbols' sessions: the ledger is brought to what the evidence says now."""

from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass, field
from datetime import timedelta

import structlog

from ingestion.checks import tables as check_tables
from ingestion.checks.agreement import DAY, SPLIT, Finding, findings, newest
from ingestion.checks.tables import Stay
from ingestion.database import Database
from ingestion.gaps import tables as stored
from ingestion.gaps.coverage import day
from ingestion.gaps.ledger import (
    CLOSED,
    NO_TRADE,
    REASONS,
    Evidence,
    Range,
    Span,
    Verdict,
    closed_from,
    expected_minutes,
    judge,
    reconcile,
)
from ingestion.gaps.tables import Minutes
from ingestion.providers.base import DAY_MS
from ingestion.records.instruments import Instrument
from market.calendars import Session, sessions

log = structlog.get_logger()

# These are looked at again although all is settled: corrections come late.
RECENT = timedelta(days=2)
# A session that keeps a symbol in quarantine is asked for again so often.
ASK_AGAIN_MS = 3_600_000
DISAGREES = "disagrees"


@dataclass(slots=True)
class Found:
    """What a look found: how many sessions were judged, missing minutes by reason, minutes that came back, what is open, what
    waits for the provider's word, and which sessions are to be asked for again since they keep a symbol in quarantine."""

    sessions: int = 0
    expected: int = 0
    present: int = 0
    missing: Counter[str] = field(default_factory=Counter)
    repaired: int = 0
    open: dict[str, list[Span]] = field(default_factory=dict)
    to_confirm: dict[str, list[Span]] = field(default_factory=dict)
    again: dict[str, list[Span]] = field(default_factory=dict)

    def wanted(self) -> dict[str, list[Span]]:
        """By symbol, all that is to be asked for."""
        found: dict[str, list[Span]] = {}
        for spans in (self.open, self.to_confirm, self.again):
            for symbol, more in spans.items():
                found.setdefault(symbol, []).extend(more)
        return found


class Ledger:
    """The look. `followed` are all that are tracked: an exchange is judged by all of its symbols, also where one alone is looked
    at. `reach_days` is how far back the provider keeps minutes, `due_ms` how long a minute takes to be confirmed.

    What the provider has spoken for is read when this is made; the stream must have committed, by the time of the look, all that
    was in Kafka then. The other way round, an answer that comes in between would make its minutes look like missing ones.
    """

    def __init__(
        self, database: Database, followed: Iterable[Instrument], reach_days: int, due_ms: int, now_ms: int
    ) -> None:
        self._database = database
        self._symbols: dict[str, list[str]] = {}
        for instrument in followed:
            self._symbols.setdefault(instrument.calendar, []).append(instrument.symbol)
        self._now_ms = now_ms
        self._due_ms = due_ms
        self._since_ms = now_ms - reach_days * DAY_MS
        self._outages = stored.outages(database, self._since_ms)
        self._troubles = stored.troubles(database, self._since_ms)
        self._coverage = stored.coverage(database, day(self._since_ms))
        self._looked = stored.looked(database, day(self._since_ms))
        self._refused = stored.refused_minutes(database, self._since_ms)
        self._stays = check_tables.stays(database)
        self._closed: dict[tuple[str, Session], int | None] = {}

    def look(self, instruments: list[Instrument], everything: bool = False) -> Found:
        """Judges every session of the instruments that is not settled, is recent, or is asked for."""
        found = Found()
        for instrument in instruments:
            self._symbol(instrument, everything, found)
        return found

    def _symbol(self, instrument: Instrument, everything: bool, found: Found) -> None:
        symbol = instrument.symbol
        today = day(self._now_ms)
        since = day(self._since_ms) + timedelta(days=1)
        settled = set() if everything else stored.settled_sessions(self._database, symbol, since)
        candidates = [
            session
            for session in sessions(instrument.calendar, since, today + timedelta(days=1))
            if session.open_ms < self._now_ms
            and (session.session_date not in settled or session.session_date >= today - RECENT)
        ]
        if not candidates:
            return
        present = stored.minutes(self._database, symbol, candidates[0].open_ms)
        covered = self._coverage.get(symbol, {})
        known = sorted({*present, *settled})
        # Before its first minute nothing was expected of a symbol.
        judged = [session for session in candidates if known and session.session_date >= known[0]]
        checked: list[Finding] = []
        for session in judged:
            minutes = present.get(session.session_date, Minutes([], []))
            spoken_for = covered.get(session.session_date, [])
            checked += self._session(instrument, session, minutes, spoken_for, found)
        self._keep_quarantine(symbol, judged, checked, found)

    def _keep_quarantine(self, symbol: str, judged: list[Session], checked: list[Finding], found: Found) -> None:
        """In goes whose newest session disagrees, out comes whose newest one agrees; what it was about is asked for again."""
        stays = {stay.check: stay for stay in self._stays.get(symbol, [])}
        for check, finding in newest(checked).items():
            stay = stays.get(check)
            if stay is not None and stay.session_date > finding.session_date:
                continue
            if not finding.agrees:
                same = stay is not None and stay.session_date == finding.session_date
                stays[check] = Stay(check, finding.session_date, stay.asked_ms if stay is not None and same else None)
                if check_tables.enter(self._database, symbol, finding):
                    log.warning("quarantine", symbol=symbol, check=check, detail=finding.detail)
            elif stay is not None:
                del stays[check]
                check_tables.leave(self._database, symbol, check, f"{finding.session_date}: {finding.detail}")
                log.info("quarantine left", symbol=symbol, check=check, detail=finding.detail)
        self._stays[symbol] = list(stays.values())
        days = {
            stay.session_date
            for stay in stays.values()
            if stay.check != SPLIT and (stay.asked_ms is None or self._now_ms - stay.asked_ms >= ASK_AGAIN_MS)
        }
        spans = [
            Span(session.open_ms, min(session.close_ms, self._now_ms), DISAGREES)
            for session in judged
            if session.session_date in days
        ]
        if spans:
            found.again[symbol] = spans

    def _session(
        self,
        instrument: Instrument,
        session: Session,
        minutes: Minutes,
        covered: list[Range],
        found: Found,
    ) -> list[Finding]:
        symbol, database = instrument.symbol, self._database
        is_whole = len(minutes.present) >= len(expected_minutes(session, self._now_ms))
        evidence = Evidence(
            session=session,
            present=minutes.present,
            covered=covered,
            outages=self._outages,
            throttles=self._troubles,
            volumes={}
            if is_whole or not instrument.has_session_volume
            else stored.volumes(database, symbol, session.open_ms, session.close_ms),
            now_ms=self._now_ms,
            due_ms=self._due_ms,
            reach_ms=self._now_ms - self._since_ms,
            refused=self._refused.get(symbol, ()),
            closed_from_ms=None if is_whole else self._closed_from(instrument.calendar, session),
            unconfirmed=minutes.unconfirmed,
            looked_ms=self._looked.get(symbol, {}).get(session.session_date, 0),
            day_volume=0.0 if minutes.present else stored.traded_days(database, [symbol], session).get(symbol, 0.0),
        )
        verdict = judge(evidence)
        rows = stored.rows_of(database, symbol, session.session_date)
        gone, new, repaired = reconcile(rows, verdict.spans, minutes.present)
        seen = check_tables.compared(
            database, symbol, session.session_date, session.open_ms, session.close_ms, instrument.price_precision
        )
        checked = findings(session.session_date, seen, self._outages, has_all(verdict))
        day_agrees = next((finding.agrees for finding in checked if finding.check == DAY), None)
        stored.write(database, symbol, session.session_date, verdict, gone, new, repaired, seen.disagreeing, day_agrees)
        found.sessions += 1
        found.expected += verdict.expected
        found.present += verdict.present
        found.missing.update({reason: verdict.count(reason) for reason in REASONS if verdict.count(reason)})
        found.repaired += sum(span.minutes for span in repaired)
        open_spans = [span for span in verdict.spans if span.is_repairable]
        if open_spans:
            found.open.setdefault(symbol, []).extend(open_spans)
        if verdict.to_confirm and not self._is_doubted(symbol, session):
            found.to_confirm.setdefault(symbol, []).extend(verdict.to_confirm)
        return checked

    def _is_doubted(self, symbol: str, session: Session) -> bool:
        """Whether rows of it would be held back: the provider has not adjusted them for a split, or twice."""
        return any(
            stay.check == SPLIT and session.session_date < stay.session_date for stay in self._stays.get(symbol, [])
        )

    def _closed_from(self, calendar: str, session: Session) -> int | None:
        """Asked once an exchange's session, and only when something is missing of it and it is over."""
        if self._now_ms < session.close_ms:
            return None
        key, symbols = (calendar, session), self._symbols.get(calendar, [])
        if key not in self._closed:
            lasts = stored.last_minutes(self._database, symbols, session.open_ms, session.close_ms)
            covered = {symbol: self._coverage.get(symbol, {}).get(session.session_date, []) for symbol in symbols}
            closed_ms = closed_from(session, lasts, covered)
            # Where there is a day, there was trading, though all of its minutes are lost.
            is_lost = closed_ms == session.open_ms and bool(stored.traded_days(self._database, symbols, session))
            self._closed[key] = None if is_lost else closed_ms
        return self._closed[key]


def has_all(verdict: Verdict) -> bool:
    """Whether the session is over and no minute with a trade is missing of it."""
    return verdict.is_over and not verdict.pending and all(span.reason in (NO_TRADE, CLOSED) for span in verdict.spans)
