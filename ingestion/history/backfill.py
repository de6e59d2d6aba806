"""The history that the provider keeps, to the history topic: days first, then each symbol in rising time."""

import time
from collections.abc import Callable, Iterator
from dataclasses import asdict, dataclass, field
from datetime import date
from functools import partial

import structlog

from ingestion import tables
from ingestion.catalogue import instruments
from ingestion.checks.sparse_answers import believed
from ingestion.checks.young_splits import keep_believed, spoken_for
from ingestion.database import Database
from ingestion.errors import (
    ABOUT_ONE_ANSWER,
    BadConfiguration,
    BrokerAway,
    Malformed,
    ProviderError,
    UnknownSymbol,
    capital,
    named,
    trying_again,
)
from ingestion.gaps import tables as ledger_tables
from ingestion.gaps.coverage import Covered, day, of_window
from ingestion.history.plan import Window, windows
from ingestion.providers.base import DAY_MS, Provider
from ingestion.publisher import Publisher
from ingestion.records.instruments import Instrument
from ingestion.records.rows import Records, records_of, refused_answer
from ingestion.records.splits import SplitFactors
from ingestion.requesting.retries import patiently
from market.contracts import END_MS, Bar

log = structlog.get_logger()

NAME = "backfill"
# How long a backfill waits for a provider that refuses or is away, each time.
PATIENCE_S = 1_800.0
FLUSH_S = 120.0
# The frames whose bars go further back than minutes do.
SEEDS = ("1h", "15m", "5m")
SERIES = ("1d", *SEEDS, "1m")
ALL = END_MS

# Told the share that is done, and a word about it.
Show = Callable[[float, str], None]


@dataclass(slots=True)
class Summary:
    """What a backfill did, in numbers; its last line on stdout."""

    symbols: int = 0
    series: int = 0
    requests: int = 0
    bars: int = 0
    actions: int = 0
    dead_letters: int = 0
    unknown: list[str] = field(default_factory=list)
    failed: list[str] = field(default_factory=list)
    # Series of which the provider has nothing at all, though it answered.
    empty: list[str] = field(default_factory=list)
    # Another backfill is at work on these.
    busy: list[str] = field(default_factory=list)
    seconds: float = 0.0
    error: str = ""

    def done(self, started_s: float) -> str:
        """What was done by now, for a person."""
        self.seconds = time.monotonic() - started_s
        return f"{self.series} series, {self.bars} bars of {self.symbols} symbols in {self.seconds:.0f} s"

    def as_dict(self) -> dict[str, object]:
        return {"command": "backfill", **asdict(self), "seconds": round(self.seconds, 2)}


@dataclass(frozen=True, slots=True)
class Request:
    """What was asked on the command line; None is all."""

    symbols: list[str] | None = None
    timeframes: list[str] | None = None
    since: date | None = None
    everything: bool = False
    # The last day, of what would be asked for without it.
    until: date | None = None


def unseen(_done: float, _said: str) -> None:
    """Nobody looks."""


def backfill(
    database: Database,
    provider: Provider,
    publisher: Publisher,
    source: str,
    request: Request,
    now_ms: Callable[[], int],
    show: Show = unseen,
) -> tuple[Summary, ProviderError | None]:
    """Fetches what is missing (or everything). Returns what it did, and the error that ended it early or left series without an
    answer. `show` is told the share that is done and a word about it, before each series and at the end. Raises `BadConfiguration`
    for a request that no answer could fulfil."""
    check(request, provider)
    started_s = time.monotonic()
    run = Backfill(database, provider, publisher, source, request, now_ms, show)
    tables.begin_work(database, NAME)
    known, run.summary.unknown, stopped = patient_instruments(
        database, provider, source, request.symbols, now_ms, run.waits
    )
    claimed = [instrument for instrument in known if tables.claim_history(database, instrument.symbol)]
    summary = run.summary
    summary.busy = sorted({i.symbol for i in known} - {i.symbol for i in claimed})
    summary.symbols = len(claimed)
    try:
        try:
            run.fetch(claimed)
        except ProviderError as error:
            stopped = error
        run.keep()
    except BrokerAway as error:
        tables.set_status(database, NAME, "stopped", f"{error}; {summary.done(started_s)}")
        raise
    detail = summary.done(started_s)
    show(1.0, f"{summary.bars} bars")
    summary.error = str(stopped) if stopped else ""
    if stopped is None:
        stopped = unanswered(summary, provider.title, request)
    # Who found all of its symbols claimed did nothing: the one at work on them has more to say.
    if claimed or not summary.busy:
        tables.set_status(database, NAME, stopped.state if stopped else "ok", f"{stopped or 'done'}: {detail}")
    return summary, stopped


def check(request: Request, provider: Provider) -> None:
    """Raises `BadConfiguration`: such a request would do nothing, or something else than it says."""
    unknown = [name for name in request.timeframes or () if name not in provider.reach]
    if unknown:
        raise BadConfiguration(f"{provider.title} has no bars of {', '.join(unknown)}: {', '.join(provider.reach)}")
    if request.since and request.until and request.until < request.since:
        raise BadConfiguration(f"--until {request.until} lies before --since {request.since}")


def unanswered(summary: Summary, title: str, request: Request) -> ProviderError | None:
    """That some series are still missing, for whoever started the command. The others were fetched."""
    if request.symbols and summary.unknown:
        return UnknownSymbol(f"{capital(title)} knows no symbol {', '.join(summary.unknown)}")
    if not summary.failed:
        return None
    return Malformed(f"no good answer about {named(summary.failed)}")


@dataclass(slots=True)
class Backfill:
    """One run. `splits` are what is known of each symbol's, `covered` what the provider spoke of and is not noted yet, by symbol.

    `whole` are the symbols of which a backfill came to its end. Of any other, what is stored says nothing of what is missing: one
    that was killed may have left a hole in the middle.
    """

    database: Database
    provider: Provider
    publisher: Publisher
    source: str
    request: Request
    now_ms: Callable[[], int]
    show: Show = unseen
    summary: Summary = field(default_factory=Summary)
    splits: dict[str, dict[date, float]] = field(default_factory=dict)
    covered: dict[str, list[Covered]] = field(default_factory=dict)
    whole: set[str] = field(default_factory=set)
    # How many series there are to be.
    expected: int = 0

    def fetch(self, known: list[Instrument]) -> None:
        """All series: the days of every symbol, then the rest symbol by symbol. Raises `ProviderError` where it cannot go on."""
        self.whole = tables.with_history(self.database)
        self.expected = len(known) * sum(timeframe in (self.request.timeframes or SERIES) for timeframe in SERIES)
        if known:
            self._say("working", f"history of {len(known)} symbols")
        for instrument in known:
            self.splits[instrument.symbol] = tables.stored_splits(self.database, instrument.symbol)
            self._series(instrument, "1d", ALL)
        for instrument in known:
            if self._is_general:
                # Killed from here on, it may have stored a part of a session: then all of it counts as missing.
                tables.unmark_history(self.database, instrument.symbol)
            self._intraday(instrument)
            self.keep()
            if self._is_general and not self._has_failed(instrument.symbol):
                tables.mark_history(self.database, instrument.symbol)

    def keep(self) -> None:
        """Waits until all that was sent is with the broker, and notes what the provider has spoken for."""
        self.publisher.flush(FLUSH_S)
        for symbol, pieces in self.covered.items():
            ledger_tables.note_coverage(self.database, symbol, pieces)
        self.covered.clear()

    def waits(self, error: ProviderError, seconds: float) -> None:
        """What a request waits for, told while it does: a throttled backfill is as long in coming as one that has much to do."""
        self._say(
            error.state,
            f"{trying_again(capital(f'{self.provider.title}: {error.sentence}'), seconds)}; {self.summary.bars} bars so far",
        )

    def _say(self, state: str, detail: str) -> None:
        tables.set_status(self.database, NAME, state, detail, is_at_work=True)

    @property
    def _is_general(self) -> bool:
        """Whether it is about all that is missing, and not about a part that somebody named."""
        return not (self.request.timeframes or self.request.since or self.request.until)

    def _has_failed(self, symbol: str) -> bool:
        return any(entry.partition(" ")[0] == symbol for entry in self.summary.failed)

    def _intraday(self, instrument: Instrument) -> None:
        """In rising time as far as that goes, for a bar that comes after younger ones has all their indicators computed again.

        The frames' own bars are sent as far back as no minute reaches; the minutes make the rest of them. What the provider says
        of that rest comes after the minutes, which outrank it.
        """
        reach = self.provider.reach["1m"].days_back
        split_ms = ALL if reach is None else self.now_ms() - reach * DAY_MS
        held: list[Bar] = []
        try:
            for timeframe in SEEDS:
                held += self._series(instrument, timeframe, split_ms)
            self._series(instrument, "1m", ALL)
        finally:
            self.publisher.send_all(held, history=True)

    def _series(self, instrument: Instrument, timeframe: str, before_ms: int) -> list[Bar]:
        """One symbol's bars of one timeframe: sends those before `before_ms`, gives the others."""
        if self.request.timeframes and timeframe not in self.request.timeframes:
            return []
        symbol, summary = instrument.symbol, self.summary
        self.show(summary.series / self.expected, f"{symbol} {timeframe}, {summary.bars} bars")
        summary.series += 1
        found, held = 0, []
        try:
            for start_ms, end_ms in self._windows(instrument, timeframe):
                records = self._answer(instrument, timeframe, start_ms, end_ms)
                held += [bar for bar in records.bars if bar.event_ms >= before_ms]
                # Daily answers have all actions; an intraday one repeats some of them.
                actions = records.actions if timeframe == "1d" else []
                older = [bar for bar in records.bars if bar.event_ms < before_ms]
                self.publisher.send_all([*actions, *older, *records.dead_letters], history=True)
                found += len(records.bars) + len(records.dead_letters)
                summary.bars += len(records.bars)
                summary.actions += len(actions)
                summary.dead_letters += len(records.dead_letters)
        except ABOUT_ONE_ANSWER as error:
            summary.failed.append(f"{symbol} {timeframe}")
            log.warning("answer", symbol=symbol, timeframe=timeframe, detail=str(error))
            if isinstance(error, Malformed) and error.original:
                letter = refused_answer(error.original, str(error), self.source, self.now_ms(), symbol)
                summary.dead_letters += self.publisher.send_all([letter])
            return held
        if not found:
            summary.empty.append(f"{symbol} {timeframe}")
            log.warning("empty", symbol=symbol, timeframe=timeframe, detail="the provider has no rows of it")
        log.info("series", symbol=symbol, timeframe=timeframe, records=found)
        self._say("working", f"{symbol} {timeframe}: {found} records; {summary.bars} bars in all")
        return held

    def _windows(self, instrument: Instrument, timeframe: str) -> Iterator[Window]:
        request, reach = self.request, self.provider.reach[timeframe]
        is_all = request.everything or instrument.symbol not in self.whole
        stored = set() if is_all else tables.stored_sessions(self.database, instrument.symbol, timeframe)
        return windows(
            timeframe, reach, instrument.calendar, stored, self.now_ms(), is_all, request.since, request.until
        )

    def _answer(self, instrument: Instrument, timeframe: str, start_ms: int | None, end_ms: int | None) -> Records:
        """The records of one request. Splits that it tells of are remembered for the answers after it."""
        symbol = instrument.symbol
        self.summary.requests += 1
        ask = partial(self.provider.history, symbol, timeframe, start_ms, end_ms)
        answer = patiently(ask, PATIENCE_S, self.waits)
        splits = self.splits[symbol]
        splits.update(answer.splits)
        records = records_of(answer, instrument, timeframe, self.source, SplitFactors(list(splits.items())))
        doubted, doubt = keep_believed(self.database, records, splits.items(), symbol, answer.asked_ms)
        if doubt:
            # The history counts as not fetched: it is asked for again.
            self.summary.failed.append(f"{symbol} {timeframe}: {doubt}"[:200])
        if timeframe == "1m" and start_ms is not None:
            # Where the answer is sparse, the ledger asks again; for what was never heard of there is nothing to tell it by.
            pieces, _ = believed(
                self.database, symbol, answer, of_window(answer, instrument.calendar, start_ms, end_ms)
            )
            self.covered.setdefault(symbol, []).extend(spoken_for(pieces, doubted))
        return records


def patient_instruments(
    database: Database,
    provider: Provider,
    source: str,
    wanted: list[str] | None,
    now_ms: Callable[[], int],
    waits: Callable[[ProviderError, float], None],
) -> tuple[list[Instrument], list[str], ProviderError | None]:
    """The instruments, having waited for a provider that would not describe them at first."""

    def look() -> tuple[list[Instrument], list[str]]:
        known, unknown, stopped = instruments(database, provider, source, wanted, now_ms(), lambda: day(now_ms()))
        if stopped is not None:
            raise stopped
        return known, unknown

    try:
        return *patiently(look, PATIENCE_S, waits), None
    except ProviderError as error:
        return [], [], error
