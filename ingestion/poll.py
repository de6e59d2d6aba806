"""One look at every tracked symbol: the minutes of today and the newest days. Sends only what is not stored as final already."""

import time
from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass, field
from datetime import UTC, date, datetime

import structlog

from ingestion import tables
from ingestion.catalogue import instruments
from ingestion.database import Database
from ingestion.errors import ABOUT_ONE_ANSWER, Malformed, ProviderError
from ingestion.instruments import Instrument
from ingestion.providers.base import Provider
from ingestion.publisher import Publisher
from ingestion.requesting import briefly
from ingestion.rows import records_of, refused_answer
from ingestion.splits import SplitFactors
from market.calendars import session_of
from market.contracts import Action, Bar

log = structlog.get_logger()

NAME = "poll"
TIMEFRAMES = ("1m", "1d")
FLUSH_S = 30.0
RETRY_S = 10.0


@dataclass(slots=True)
class Summary:
    """What a poll did, in numbers; its last line on stdout."""

    symbols: int = 0
    requests: int = 0
    rows: int = 0
    bars: int = 0
    actions: int = 0
    dead_letters: int = 0
    # Requests that the time of this poll did not reach; the next one begins with them.
    postponed: int = 0
    unknown: list[str] = field(default_factory=list)
    failed: list[str] = field(default_factory=list)
    seconds: float = 0.0
    error: str = ""

    def as_dict(self) -> dict[str, object]:
        return {"command": "poll", **asdict(self), "seconds": round(self.seconds, 2)}


def poll(
    database: Database,
    provider: Provider,
    publisher: Publisher,
    source: str,
    wanted: list[str] | None,
    deadline_s: float,
    now_ms: Callable[[], int],
) -> tuple[Summary, ProviderError | None]:
    """Polls until all is asked or the deadline has come. Returns what it did, and the refusal that ended it early."""
    started_s = time.monotonic()
    summary = Summary()
    known, summary.unknown, stopped = instruments(
        database, provider, source, wanted, now_ms(), lambda: datetime.fromtimestamp(now_ms() / 1000, UTC).date()
    )
    summary.symbols = len(known)
    # All minutes before any day; where the budget is too small for all, another symbol is first in each minute.
    work = [(timeframe, instrument) for timeframe in TIMEFRAMES for instrument in rotated(known, now_ms() // 60_000)]
    for position, (timeframe, instrument) in enumerate(work):
        if stopped is not None or time.monotonic() - started_s > deadline_s:
            summary.postponed = len(work) - position
            break
        try:
            _one(database, provider, publisher, source, instrument, timeframe, summary)
        except ABOUT_ONE_ANSWER as error:
            # About this symbol alone; the others are asked.
            summary.failed.append(f"{instrument.symbol} {timeframe}")
            log.warning("answer", symbol=instrument.symbol, timeframe=timeframe, detail=str(error))
            if isinstance(error, Malformed) and error.original:
                letter = refused_answer(error.original, str(error), source, now_ms(), instrument.symbol)
                summary.dead_letters += publisher.send_all([letter])
        except ProviderError as error:
            stopped = error
            summary.postponed = len(work) - position
            break
    publisher.flush(FLUSH_S)
    summary.seconds = time.monotonic() - started_s
    summary.error = str(stopped) if stopped else ""
    state, detail = status_line(summary, provider.title, stopped)
    tables.set_status(database, NAME, state, detail)
    return summary, stopped


def _one(
    database: Database,
    provider: Provider,
    publisher: Publisher,
    source: str,
    instrument: Instrument,
    timeframe: str,
    summary: Summary,
) -> None:
    summary.requests += 1
    answer = briefly(lambda: provider.newest(instrument.symbol, timeframe), RETRY_S)
    records = records_of(answer, instrument, timeframe, source, SplitFactors(answer.splits))
    if not records.bars and not records.dead_letters:
        return
    summary.rows += len(records.bars) + len(records.dead_letters)
    since_ms = min((bar.event_ms for bar in records.bars), default=0)
    bars = news(records.bars, tables.stored_bars(database, instrument.symbol, timeframe, since_ms))
    actions: list[Action] = []
    if records.actions:
        stored = tables.stored_actions(database, instrument.symbol)
        actions = new_actions(records.actions, instrument.calendar, stored)
    publisher.send_all([*actions, *bars, *records.dead_letters])
    summary.bars += len(bars)
    summary.actions += len(actions)
    summary.dead_letters += len(records.dead_letters)


def rotated(known: Sequence[Instrument], minute: int) -> list[Instrument]:
    """The instruments, beginning with another one in each minute."""
    if not known:
        return []
    first = minute % len(known)
    return [*known[first:], *known[:first]]


def news(bars: list[Bar], stored: dict[int, tuple[object, ...]]) -> list[Bar]:
    """The bars that say something: those that differ from what is stored as final, or are not final yet."""
    return [bar for bar in bars if stored.get(bar.event_ms) != (bar.open, bar.high, bar.low, bar.close, bar.volume)]


def new_actions(actions: list[Action], calendar: str, stored: dict[tuple[date, str], float]) -> list[Action]:
    """The splits and dividends that are not stored with the same value."""
    days = [session_of(calendar, action.event_ms).session_date for action in actions]
    return [
        action for action, day in zip(actions, days, strict=True) if stored.get((day, action.action)) != action.value
    ]


def status_line(summary: Summary, title: str, stopped: ProviderError | None) -> tuple[str, str]:
    """(state, detail) for `core.service_status`."""
    done = f"{summary.symbols} symbols, {summary.rows} rows, {summary.bars} new or changed"
    if stopped is not None and stopped.state == "throttled":
        return "throttled", f"throttled by {title}, next try in {stopped.next_try_s or 60:.0f} s"
    if stopped is not None:
        return "retrying", f"{title}: {stopped}"
    if summary.postponed:
        return "ok", f"{done}; {summary.postponed} requests left to the next poll"
    return "ok", done
