"""Corporate actions as they are published now: new ones, corrected ones, and a look at the prices around each recent split.

Where the prices before a split are not those that were printed (ingestion/young_splits.py), the symbol is in quarantine.
"""

import time
from collections.abc import Callable, Iterable, Mapping
from dataclasses import asdict, dataclass, field
from datetime import UTC, date, datetime, timedelta

import structlog

from ingestion import tables
from ingestion.catalogue import instruments
from ingestion.database import Database
from ingestion.errors import ABOUT_ONE_ANSWER, ProviderError
from ingestion.instruments import Instrument
from ingestion.poll import new_actions
from ingestion.providers.base import DAY_MS, Provider
from ingestion.publisher import Publisher
from ingestion.requesting import patiently
from ingestion.rows import records_of
from ingestion.splits import SplitFactors
from ingestion.young_splits import keep_believed
from market.contracts import Action

log = structlog.get_logger()

NAME = "actions"
PATIENCE_S = 900.0
FLUSH_S = 60.0


@dataclass(slots=True)
class Summary:
    """What was published and what was new, in numbers."""

    symbols: int = 0
    requests: int = 0
    published: int = 0
    new: int = 0
    # Stored of the same days and published no more: a person decides.
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
    for instrument in known:
        if stopped is not None:
            break
        try:
            _symbol(database, provider, publisher, source, instrument, today, days, now_ms(), summary)
        except ABOUT_ONE_ANSWER as error:
            summary.failed.append(f"{instrument.symbol}: {error}"[:200])
        except ProviderError as error:
            stopped = error
    publisher.flush(FLUSH_S)
    summary.seconds = time.monotonic() - started_s
    summary.error = str(stopped) if stopped else ""
    said = f"{summary.published} splits and dividends of {summary.symbols} symbols, {summary.new} new or changed"
    said += f"; prices disagree around a split: {', '.join(summary.disagree)}" if summary.disagree else ""
    tables.set_status(database, NAME, stopped.state if stopped else "ok", f"{stopped}; {said}" if stopped else said)
    return summary, stopped


def _symbol(
    database: Database,
    provider: Provider,
    publisher: Publisher,
    source: str,
    instrument: Instrument,
    today: date,
    days: int,
    now_ms: int,
    summary: Summary,
) -> None:
    symbol = instrument.symbol
    summary.requests += 1
    answer = patiently(lambda: provider.history(symbol, "1d", now_ms - days * DAY_MS, None), PATIENCE_S)
    records = records_of(answer, instrument, "1d", source, SplitFactors(answer.splits))
    summary.published += len(records.actions)
    stored = tables.stored_actions(database, symbol)
    fresh = new_actions(records.actions, instrument.calendar, stored)
    published = {(day, "split") for day, _ in answer.splits} | {(day, "dividend") for day, _ in answer.dividends}
    since = today - timedelta(days=days - 1)
    summary.withdrawn += [f"{symbol} {a} of {day}" for day, a in withdrawn(stored, published, since, today)]
    _, doubt = keep_believed(database, records, answer.splits, symbol, answer.asked_ms)
    if doubt:
        summary.disagree.append(f"{symbol}: {doubt}"[:200])
    publisher.send_all([*fresh, *records.dead_letters], history=True)
    summary.new += len(fresh)
    log.info("actions", symbol=symbol, published=len(records.actions), new=[_said(action) for action in fresh])


def withdrawn(
    stored: Mapping[tuple[date, str], float], published: Iterable[tuple[date, str]], since: date, today: date
) -> list[tuple[date, str]]:
    """What is stored of a time that the answer is about, and is published no more."""
    return sorted(key for key in stored if since <= key[0] <= today and key not in set(published))


def _said(action: Action) -> str:
    return f"{action.action} {action.value:g}"
