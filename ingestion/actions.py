"""Corporate actions as they are published now: new ones, corrected ones, withdrawn ones, and a look at the prices around each
recent split.

What is stored and not in an answer is asked for again, with another range, once all symbols were asked. When that answer does not
have it either, the provider has withdrawn it. Where the prices before a split are not those that were printed
(ingestion/checks/young_splits.py), the symbol is in quarantine.
"""

import time
from collections.abc import Callable, Mapping
from dataclasses import asdict, dataclass, field
from datetime import UTC, date, datetime

import structlog

from ingestion import tables
from ingestion.catalogue import instruments
from ingestion.checks.young_splits import keep_believed
from ingestion.database import Database
from ingestion.errors import ABOUT_ONE_ANSWER, ProviderError
from ingestion.poll.once import new_actions
from ingestion.providers.base import DAY_MS, Answer, Provider
from ingestion.publisher import Publisher
from ingestion.records.instruments import Instrument
from ingestion.records.rows import Records, records_of
from ingestion.records.splits import SplitFactors
from ingestion.requesting.retries import patiently
from market.calendars import ex_date_of, session_on
from market.contracts import Action

log = structlog.get_logger()

NAME = "actions"
PATIENCE_S = 900.0
FLUSH_S = 60.0
# The second question goes further back: no cache on the way answers it with what it answered the first.
FURTHER_DAYS = 7

Key = tuple[date, str]


@dataclass(slots=True)
class Summary:
    """What was published and what was new, in numbers."""

    symbols: int = 0
    requests: int = 0
    published: int = 0
    new: int = 0
    # Stored of days that two answers covered, and in neither of them.
    withdrawn: list[str] = field(default_factory=list)
    disagree: list[str] = field(default_factory=list)
    failed: list[str] = field(default_factory=list)
    seconds: float = 0.0
    error: str = ""

    def as_dict(self) -> dict[str, object]:
        return {"command": "actions", **asdict(self), "seconds": round(self.seconds, 2)}


def run(
    database: Database,
    provider: Provider,
    publisher: Publisher,
    source: str,
    symbols: list[str] | None,
    days: int,
    now_ms: Callable[[], int],
) -> tuple[Summary, ProviderError | None]:
    """One look at each symbol. Returns what it did, and the refusal that ended it early."""
    started_s = time.monotonic()
    today = datetime.fromtimestamp(now_ms() / 1000, UTC).date()
    known, _, stopped = instruments(database, provider, source, symbols, now_ms(), lambda: today)
    summary = Summary(symbols=len(known))
    look = Look(database, provider, publisher, source, days, now_ms, summary)
    # In the second round those with actions that were not in their answer.
    for step, some in ((look.first, known), (look.second, look.doubted)):
        for instrument in some:
            if stopped is not None:
                break
            try:
                step(instrument)
            except ABOUT_ONE_ANSWER as error:
                summary.failed.append(f"{instrument.symbol}: {error}"[:200])
            except ProviderError as error:
                stopped = error
    publisher.flush(FLUSH_S)
    summary.seconds = time.monotonic() - started_s
    summary.error = str(stopped) if stopped else ""
    said = f"{summary.published} splits and dividends of {summary.symbols} symbols, {summary.new} new or changed"
    said += f"; withdrawn: {', '.join(summary.withdrawn)}" if summary.withdrawn else ""
    said += f"; prices disagree around a split: {', '.join(summary.disagree)}" if summary.disagree else ""
    tables.set_status(database, NAME, stopped.state if stopped else "ok", f"{stopped}; {said}" if stopped else said)
    return summary, stopped


@dataclass(slots=True)
class Look:
    """The questions of one run about each symbol. `doubted` are those with actions that were not in their first answer."""

    database: Database
    provider: Provider
    publisher: Publisher
    source: str
    days: int
    now_ms: Callable[[], int]
    summary: Summary
    doubted: list[Instrument] = field(default_factory=list)
    _missing: dict[str, dict[Key, float]] = field(default_factory=dict)

    def first(self, instrument: Instrument) -> None:
        """What is new or changed is published; what is missing is remembered. Raises `ProviderError`."""
        symbol, summary = instrument.symbol, self.summary
        answer, records = self._ask(instrument, self.days)
        summary.published += len(records.actions)
        stored = tables.stored_actions(self.database, symbol)
        fresh = new_actions(records.actions, instrument.calendar, stored)
        missing = withdrawn(stored, answer, instrument.calendar)
        if missing:
            self._missing[symbol] = missing
            self.doubted.append(instrument)
        _, doubt = keep_believed(self.database, records, answer.splits, symbol, answer.asked_ms)
        if doubt:
            summary.disagree.append(f"{symbol}: {doubt}"[:200])
        self.publisher.send_all([*fresh, *records.dead_letters], history=True)
        summary.new += len(fresh)
        log.info("actions", symbol=symbol, published=len(records.actions), new=[_said(action) for action in fresh])

    def second(self, instrument: Instrument) -> None:
        """What is missing in this answer too is published as withdrawn. Raises `ProviderError`."""
        answer, _ = self._ask(instrument, self.days + FURTHER_DAYS)
        gone = withdrawn(self._missing[instrument.symbol], answer, instrument.calendar)
        taken_back = [
            Action(
                source=self.source,
                event_ms=session_on(instrument.calendar, day).open_ms,
                fetched_ms=answer.asked_ms,
                symbol=instrument.symbol,
                action=action,
                value=value,
                is_withdrawn=True,
            )
            for (day, action), value in sorted(gone.items())
        ]
        self.publisher.send_all(taken_back, history=True)
        self.summary.withdrawn += [f"{instrument.symbol} {action} of {day}" for day, action in sorted(gone)]
        for action in taken_back:
            log.warning("action withdrawn", symbol=action.symbol, action=_said(action), event_ms=action.event_ms)

    def _ask(self, instrument: Instrument, days: int) -> tuple[Answer, Records]:
        self.summary.requests += 1
        since_ms = self.now_ms() - days * DAY_MS
        answer = patiently(lambda: self.provider.history(instrument.symbol, "1d", since_ms, None), PATIENCE_S)
        return answer, records_of(answer, instrument, "1d", self.source, SplitFactors(answer.splits))


def withdrawn(stored: Mapping[Key, float], answer: Answer, calendar: str) -> dict[Key, float]:
    """What is stored of the days that an answer covers, from its first row to its last, and is not in it."""
    published = {(day, "split") for day, _ in answer.splits} | {(day, "dividend") for day, _ in answer.dividends}
    # The stream keeps an action under the session of its time, should the calendar know none on its day.
    published |= {(ex_date_of(calendar, session_on(calendar, day).open_ms), what) for day, what in published}
    covered = [row.day for row in answer.rows]
    if not covered:
        return {}
    first, last = min(covered), max(covered)
    return {key: value for key, value in stored.items() if first <= key[0] <= last and key not in published}


def _said(action: Action) -> str:
    return f"{action.action} {action.value:g}"
