"""The gap ledger's command: looks, fetches just what can be repaired, and looks again."""

import time
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import asdict, dataclass, field

import structlog

from ingestion import tables
from ingestion.checks import tables as check_tables
from ingestion.checks.sparse_answers import believed
from ingestion.checks.young_splits import keep_believed, spoken_for
from ingestion.database import Database
from ingestion.errors import ABOUT_ONE_ANSWER, ProviderError
from ingestion.gaps import tables as stored
from ingestion.gaps.coverage import LONGEST_LAG_MS, Covered, clipped, of_window
from ingestion.gaps.ledger import Range, Span
from ingestion.gaps.run import Found, Ledger
from ingestion.providers.base import DAY_MS, Provider
from ingestion.publisher import Publisher
from ingestion.records.instruments import Instrument
from ingestion.records.rows import records_of
from ingestion.records.splits import SplitFactors
from ingestion.requesting.retries import briefly

log = structlog.get_logger()

NAME = "gaps"
FLUSH_S = 60.0
RETRY_S = 10.0
# How long the stream is waited for, so that what is on its way is not taken for missing.
CATCH_UP_S = 45.0
LOOK_S = 0.5
AROUND_MS = 3_600_000

Ends = Callable[[], Mapping[tuple[str, int], int]]


@dataclass(slots=True)
class Summary:
    """What was found and done, in numbers."""

    symbols: int = 0
    sessions: int = 0
    expected: int = 0
    present: int = 0
    missing: dict[str, int] = field(default_factory=dict)
    requests: int = 0
    bars: int = 0
    repaired: int = 0
    still_open: int = 0
    # Minutes that have a bar, and of which the provider is to be asked all the same.
    to_confirm: int = 0
    # Such as "AAPL (day, ticks)": who is in quarantine, and by which checks.
    quarantined: list[str] = field(default_factory=list)
    failed: list[str] = field(default_factory=list)
    seconds: float = 0.0
    error: str = ""

    def as_dict(self) -> dict[str, object]:
        return {"command": "ledger", **asdict(self), "seconds": round(self.seconds, 2)}

    def take(self, found: Found) -> None:
        self.sessions, self.expected, self.present = found.sessions, found.expected, found.present
        self.missing = dict(found.missing)
        self.repaired += found.repaired
        self.still_open, self.to_confirm = minutes_of(found.open), minutes_of(found.to_confirm)


def run(
    database: Database,
    provider: Provider,
    publisher: Publisher,
    source: str,
    ends: Ends,
    due_ms: int,
    now_ms: Callable[[], int],
    symbols: list[str] | None = None,
    everything: bool = False,
    deadline_s: float = 480.0,
) -> tuple[Summary, ProviderError | None]:
    """Keeps the ledger. Nothing is judged while the stream is behind: what is on its way is not missing."""
    started_s = time.monotonic()
    summary = Summary()
    entries = [entry for entry in tables.tracked(database) if entry.instrument is not None and entry.has_history]
    followed = [entry.instrument for entry in entries if entry.instrument is not None]
    instruments = [instrument for instrument in followed if not symbols or instrument.symbol in symbols]
    summary.symbols = len(instruments)
    stopped: ProviderError | None = None
    reach = provider.reach["1m"].days_back or 29
    ledger = Ledger(database, followed, reach, due_ms, now_ms())
    behind = wait_for_stream(database, ends())
    if behind:
        summary.error = f"the stream is {behind} records behind: nothing was judged"
    else:
        found = ledger.look(instruments, everything)
        summary.take(found)
        wanted = found.wanted()
        if wanted:
            mender = Mender(database, provider, publisher, source, started_s + deadline_s, now_ms, summary)
            chosen = [instrument for instrument in instruments if instrument.symbol in wanted]
            stopped = mender.mend(chosen, wanted)
            if stopped is None:
                check_tables.note_asked_again(database, found.again)
            ledger = Ledger(database, followed, reach, due_ms, now_ms())
            if not wait_for_stream(database, ends()):
                again = ledger.look(chosen)
                summary.repaired += again.repaired
                summary.still_open, summary.to_confirm = minutes_of(again.open), minutes_of(again.to_confirm)
    summary.quarantined = [
        f"{symbol} ({', '.join(stay.check for stay in stays)})"
        for symbol, stays in check_tables.stays(database).items()
    ]
    summary.seconds = time.monotonic() - started_s
    if stopped is not None:
        summary.error = str(stopped)
    say(database, summary, stopped)
    return summary, stopped


def minutes_of(spans: Mapping[str, list[Span]]) -> int:
    return sum(span.minutes for found in spans.values() for span in found)


def say(database: Database, summary: Summary, stopped: ProviderError | None) -> None:
    """The ledger's row in the services' status."""
    missing = ", ".join(f"{minutes} {reason}" for reason, minutes in sorted(summary.missing.items())) or "none"
    detail = (
        f"{summary.sessions} sessions, minutes without a bar: {missing}; {summary.repaired} repaired,"
        f" {summary.still_open} open"
    )
    if summary.to_confirm:
        detail += f", {summary.to_confirm} to be confirmed"
    if summary.quarantined:
        detail += f"; in quarantine: {', '.join(summary.quarantined)}"
    state = stopped.state if stopped is not None else "waiting" if summary.error else "ok"
    tables.set_status(database, NAME, state, f"{summary.error}; {detail}" if summary.error else detail)


class Mender:
    """Fetches the bars of what is open or to be confirmed, and nothing else."""

    def __init__(
        self,
        database: Database,
        provider: Provider,
        publisher: Publisher,
        source: str,
        deadline_s: float,
        now_ms: Callable[[], int],
        summary: Summary,
    ) -> None:
        self._database = database
        self._provider = provider
        self._publisher = publisher
        self._source = source
        self._deadline_s = deadline_s
        self._now_ms = now_ms
        self._summary = summary

    def mend(self, instruments: Iterable[Instrument], spans: Mapping[str, list[Span]]) -> ProviderError | None:
        """What stopped it early, None where all was asked."""
        covered: dict[str, list[Covered]] = {}
        stopped: ProviderError | None = None
        for instrument in instruments:
            try:
                covered[instrument.symbol] = list(self._symbol(instrument, spans[instrument.symbol]))
            except ABOUT_ONE_ANSWER as error:
                self._summary.failed.append(f"{instrument.symbol}: {error}"[:200])
            except ProviderError as error:
                stopped = error
                break
        self._publisher.flush(FLUSH_S)
        for symbol, pieces in covered.items():
            stored.note_coverage(self._database, symbol, pieces)
        return stopped

    def _symbol(self, instrument: Instrument, spans: list[Span]) -> Iterator[Covered]:
        reach = self._provider.reach["1m"]
        floor_ms = self._now_ms() - (reach.days_back or 10_000) * DAY_MS
        end_ms: int | None
        for start_ms, end_ms in windows(spans, floor_ms, (reach.days_a_request or 10_000) * DAY_MS):
            if time.monotonic() > self._deadline_s:
                self._summary.failed.append(f"{instrument.symbol}: left to the next run")
                return
            if end_ms is not None and end_ms > self._now_ms() - LONGEST_LAG_MS:
                # Rows behind the span prove that the provider does not merely lag.
                end_ms = None
            self._summary.requests += 1
            answer = briefly(lambda: self._provider.history(instrument.symbol, "1m", start_ms, end_ms), RETRY_S)  # noqa: B023
            splits = {**tables.stored_splits(self._database, instrument.symbol), **dict(answer.splits)}
            records = records_of(answer, instrument, "1m", self._source, SplitFactors(list(splits.items())))
            doubted, doubt = keep_believed(self._database, records, splits.items(), instrument.symbol, answer.asked_ms)
            if doubt:
                self._summary.failed.append(f"{instrument.symbol}: {doubt}"[:200])
            wanted = [bar for bar in records.bars if bar.is_complete and any(s.holds(bar.event_ms) for s in spans)]
            self._publisher.send_all([*wanted, *records.dead_letters], history=True)
            self._summary.bars += len(wanted)
            # Of the rest of the window nothing was sent: it must not count as asked about.
            pieces = of_window(answer, instrument.calendar, start_ms, end_ms)
            pieces, sparse = believed(self._database, instrument.symbol, answer, pieces)
            if sparse:
                self._summary.failed.append(f"{instrument.symbol}: {sparse}"[:200])
            yield from clipped(spoken_for(pieces, doubted), ((span.start_ms, span.end_ms) for span in spans))


def windows(spans: Iterable[Span], floor_ms: int, longest_ms: int) -> list[Range]:
    """The requests that fetch the spans: as few as a request's length allows, none before the provider's reach.

    A window goes somewhat beyond its spans, so that rows around a halt show that the provider has its data; what is of no span
    is left out again.
    """
    found: list[Range] = []
    for span in sorted(spans, key=lambda span: span.start_ms):
        if span.end_ms <= floor_ms:
            continue
        start_ms, end_ms = max(span.start_ms - AROUND_MS, floor_ms), span.end_ms + AROUND_MS
        if found and end_ms - found[-1][0] <= longest_ms:
            found[-1] = (found[-1][0], max(found[-1][1], end_ms))
        else:
            found.append((start_ms, end_ms))
    return found


def wait_for_stream(database: Database, ends: Mapping[tuple[str, int], int]) -> int:
    """How many records the stream still has not committed after a while."""
    until_s = time.monotonic() + CATCH_UP_S
    behind = stored.committed(database, ends)
    while behind and time.monotonic() < until_s:
        time.sleep(LOOK_S)
        behind = stored.committed(database, ends)
    return behind
