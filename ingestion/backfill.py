"""The history that the provider keeps, to the history topic: series by series, each oldest first."""

import time
from collections.abc import Callable
from dataclasses import asdict, dataclass, field
from datetime import UTC, date, datetime
from functools import partial

import structlog

from ingestion import ledger_tables, tables
from ingestion.catalogue import instruments
from ingestion.coverage import Covered, of_window
from ingestion.database import Database
from ingestion.errors import ABOUT_ONE_ANSWER, Malformed, ProviderError
from ingestion.instruments import Instrument
from ingestion.plan import ORDER, windows
from ingestion.providers.base import Provider
from ingestion.publisher import Publisher
from ingestion.requesting import patiently
from ingestion.rows import records_of, refused_answer
from ingestion.splits import SplitFactors
from ingestion.young_splits import keep_believed, spoken_for

log = structlog.get_logger()

NAME = "backfill"
# How long a backfill waits for a provider that refuses or is away, each time.
PATIENCE_S = 1_800.0
FLUSH_S = 120.0


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


def backfill(
    database: Database,
    provider: Provider,
    publisher: Publisher,
    source: str,
    request: Request,
    now_ms: Callable[[], int],
) -> tuple[Summary, ProviderError | None]:
    """Fetches what is missing (or everything). Returns what it did, and the error that ended it early."""
    started_s = time.monotonic()
    summary = Summary()
    known, summary.unknown, stopped = patient_instruments(database, provider, source, request.symbols, now_ms)
    claimed = [instrument for instrument in known if tables.claim_history(database, instrument.symbol)]
    summary.busy = sorted({i.symbol for i in known} - {i.symbol for i in claimed})
    known = claimed
    summary.symbols = len(known)
    splits = {instrument.symbol: tables.stored_splits(database, instrument.symbol) for instrument in known}
    covered: dict[str, list[Covered]] = {}
    for timeframe in ORDER:
        if stopped is not None or (request.timeframes and timeframe not in request.timeframes):
            continue
        for instrument in known:
            try:
                _series(
                    database,
                    provider,
                    publisher,
                    source,
                    instrument,
                    timeframe,
                    request,
                    splits,
                    covered,
                    summary,
                    now_ms,
                )
            except ABOUT_ONE_ANSWER as error:
                summary.failed.append(f"{instrument.symbol} {timeframe}")
                log.warning("answer", symbol=instrument.symbol, timeframe=timeframe, detail=str(error))
                if isinstance(error, Malformed) and error.original:
                    letter = refused_answer(error.original, str(error), source, now_ms(), instrument.symbol)
                    summary.dead_letters += publisher.send_all([letter])
            except ProviderError as error:
                stopped = error
                break
    publisher.flush(FLUSH_S)
    for symbol, pieces in covered.items():
        ledger_tables.note_coverage(database, symbol, pieces)
    if stopped is None and not (request.timeframes or request.since or request.until):
        failed = {entry.partition(" ")[0] for entry in summary.failed}
        for instrument in known:
            if instrument.symbol not in failed:
                tables.mark_history(database, instrument.symbol)
    summary.seconds = time.monotonic() - started_s
    summary.error = str(stopped) if stopped else ""
    detail = f"{summary.series} series, {summary.bars} bars of {summary.symbols} symbols in {summary.seconds:.0f} s"
    tables.set_status(database, NAME, stopped.state if stopped else "stopped", f"{stopped or 'done'}: {detail}")
    return summary, stopped


def patient_instruments(
    database: Database, provider: Provider, source: str, wanted: list[str] | None, now_ms: Callable[[], int]
) -> tuple[list[Instrument], list[str], ProviderError | None]:
    """The instruments, having waited for a provider that would not describe them at first."""

    def look() -> tuple[list[Instrument], list[str]]:
        known, unknown, stopped = instruments(database, provider, source, wanted, now_ms(), lambda: _day(now_ms()))
        if stopped is not None:
            raise stopped
        return known, unknown

    try:
        return *patiently(look, PATIENCE_S), None
    except ProviderError as error:
        return [], [], error


def _series(
    database: Database,
    provider: Provider,
    publisher: Publisher,
    source: str,
    instrument: Instrument,
    timeframe: str,
    request: Request,
    splits: dict[str, dict[date, float]],
    covered: dict[str, list[Covered]],
    summary: Summary,
    now_ms: Callable[[], int],
) -> None:
    """One symbol's bars of one timeframe. Splits that it learns are remembered for the series after it."""
    symbol = instrument.symbol
    stored = set() if request.everything else tables.stored_sessions(database, symbol, timeframe)
    summary.series += 1
    bars = rejected = 0
    plan = windows(
        timeframe,
        provider.reach[timeframe],
        instrument.calendar,
        stored,
        now_ms(),
        request.everything,
        request.since,
        request.until,
    )
    for start_ms, end_ms in plan:
        summary.requests += 1
        answer = patiently(partial(provider.history, symbol, timeframe, start_ms, end_ms), PATIENCE_S)
        splits[symbol].update(answer.splits)
        records = records_of(answer, instrument, timeframe, source, SplitFactors(list(splits[symbol].items())))
        doubted, doubt = keep_believed(database, records, splits[symbol].items(), symbol, answer.asked_ms)
        if doubt:
            # The history counts as not fetched: it is asked for again.
            summary.failed.append(f"{symbol} {timeframe}: {doubt}"[:200])
        if timeframe == "1m" and start_ms is not None:
            pieces = of_window(answer, instrument.calendar, start_ms, end_ms)
            covered.setdefault(symbol, []).extend(spoken_for(pieces, doubted))
        # Daily answers have all actions; an intraday one repeats some of them.
        actions = records.actions if timeframe == "1d" else []
        publisher.send_all([*actions, *records.bars, *records.dead_letters], history=True)
        bars += len(records.bars)
        rejected += len(records.dead_letters)
        summary.actions += len(actions)
        summary.dead_letters += len(records.dead_letters)
    summary.bars += bars
    if not bars and not rejected:
        summary.empty.append(f"{symbol} {timeframe}")
        log.warning("empty", symbol=symbol, timeframe=timeframe, detail="the provider has no rows of it")
    log.info("series", symbol=symbol, timeframe=timeframe, bars=bars)
    tables.set_status(database, NAME, "ok", f"{symbol} {timeframe}: {bars} bars; {summary.bars} in all")


def _day(ts_ms: int) -> date:
    return datetime.fromtimestamp(ts_ms / 1000, UTC).date()
