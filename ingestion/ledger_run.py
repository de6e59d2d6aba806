"""One look over the tracked symbols' sessions: the ledger is brought to what the evidence says now."""

from collections import Counter
from dataclasses import dataclass, field
from datetime import timedelta

import structlog

from ingestion import ledger_tables as stored
from ingestion.coverage import day
from ingestion.database import Database
from ingestion.instruments import Instrument
from ingestion.ledger import REASONS, Evidence, Range, Span, closed_from, expected_minutes, judge, reconcile
from ingestion.providers.base import DAY_MS
from market.calendars import Session, sessions

log = structlog.get_logger()

# These are looked at again although all is settled: corrections come late.
RECENT = timedelta(days=2)


@dataclass(slots=True)
class Found:
    """What a look found: how many sessions were judged, missing minutes by reason, minutes that came back, and what is open."""

    sessions: int = 0
    expected: int = 0
    present: int = 0
    missing: Counter[str] = field(default_factory=Counter)
    repaired: int = 0
    open: dict[str, list[Span]] = field(default_factory=dict)


class Ledger:
    """The look. `reach_days` is how far back the provider keeps minutes, `due_ms` how long a minute takes to be confirmed.

    What the provider has spoken for is read when this is made; the stream must have committed, by the time of the look, all that
    was in Kafka then. The other way round, an answer that comes in between would make its minutes look like missing ones.
    """

    def __init__(self, database: Database, reach_days: int, due_ms: int, now_ms: int) -> None:
        self._database = database
        self._now_ms = now_ms
        self._due_ms = due_ms
        self._since_ms = now_ms - reach_days * DAY_MS
        self._outages = stored.outages(database, self._since_ms)
        self._troubles = stored.troubles(database, self._since_ms)
        self._coverage = stored.coverage(database, day(self._since_ms))
        self._closed: dict[tuple[str, Session], int | None] = {}

    def look(self, instruments: list[Instrument], everything: bool = False) -> Found:
        """Judges every session of the instruments that is not settled, is recent, or is asked for."""
        found = Found()
        by_calendar: dict[str, list[str]] = {}
        for instrument in instruments:
            by_calendar.setdefault(instrument.calendar, []).append(instrument.symbol)
        for instrument in instruments:
            self._symbol(instrument, by_calendar[instrument.calendar], everything, found)
        return found

    def _symbol(self, instrument: Instrument, neighbours: list[str], everything: bool, found: Found) -> None:
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
        for session in candidates:
            # Before its first minute nothing was expected of a symbol.
            if known and session.session_date >= known[0]:
                minutes = present.get(session.session_date, [])
                self._session(instrument, session, minutes, covered.get(session.session_date, []), neighbours, found)

    def _session(
        self,
        instrument: Instrument,
        session: Session,
        minutes: list[int],
        covered: list[Range],
        neighbours: list[str],
        found: Found,
    ) -> None:
        symbol, database = instrument.symbol, self._database
        is_whole = len(minutes) >= len(expected_minutes(session, self._now_ms))
        evidence = Evidence(
            session=session,
            present=minutes,
            covered=covered,
            outages=self._outages,
            throttles=self._troubles,
            volumes={}
            if is_whole or not instrument.has_session_volume
            else stored.volumes(database, symbol, session.open_ms, session.close_ms),
            now_ms=self._now_ms,
            due_ms=self._due_ms,
            reach_ms=self._now_ms - self._since_ms,
            closed_from_ms=None if is_whole else self._closed_from(instrument.calendar, session, neighbours),
        )
        verdict = judge(evidence)
        rows = stored.rows_of(database, symbol, session.session_date)
        gone, new, repaired = reconcile(rows, verdict.spans, minutes)
        disagree = stored.disagreements(database, symbol, session.open_ms, session.close_ms)
        stored.write(database, symbol, session.session_date, verdict, gone, new, repaired, disagree)
        found.sessions += 1
        found.expected += verdict.expected
        found.present += verdict.present
        found.missing.update({reason: verdict.count(reason) for reason in REASONS if verdict.count(reason)})
        found.repaired += sum(span.minutes for span in repaired)
        open_spans = [span for span in verdict.spans if span.is_repairable]
        if open_spans:
            found.open.setdefault(symbol, []).extend(open_spans)

    def _closed_from(self, calendar: str, session: Session, symbols: list[str]) -> int | None:
        """Asked once an exchange's session, and only when something is missing of it and it is over."""
        if self._now_ms < session.close_ms:
            return None
        key = (calendar, session)
        if key not in self._closed:
            lasts = stored.last_minutes(self._database, symbols, session.open_ms, session.close_ms)
            covered = {symbol: self._coverage.get(symbol, {}).get(session.session_date, []) for symbol in symbols}
            self._closed[key] = closed_from(session, lasts, covered)
        return self._closed[key]
