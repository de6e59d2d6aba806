"""The tracked list in memory: read from the table every few seconds, completed by asking the provider about new symbols."""

from collections.abc import Callable
from datetime import date

import structlog

from ingestion import tables
from ingestion.database import Database
from ingestion.errors import Malformed, ProviderError, UnknownSymbol
from ingestion.providers.base import Provider
from ingestion.records.instruments import Instrument, Tracked

log = structlog.get_logger()

# A symbol that the provider did not know may be listed one day: asked again after so long.
UNKNOWN_AGAIN_MS = 6 * 3_600_000


def needs_description(entry: Tracked, now_ms: int) -> bool:
    """Whether the provider is to be asked about the symbol now."""
    if entry.state == "unknown":
        return now_ms - entry.updated_ms >= UNKNOWN_AGAIN_MS
    return entry.state == "pending"


def describe(
    database: Database, provider: Provider, entry: Tracked, source: str, today: Callable[[], date]
) -> Instrument | None:
    """Asks about a symbol and writes the answer to its row. None when there is no such symbol; other errors are raised."""
    try:
        instrument = provider.describe(entry.symbol)
    except UnknownSymbol as error:
        tables.mark_unknown(database, entry.symbol, str(error), today())
        log.warning("unknown symbol", symbol=entry.symbol, detail=str(error))
        return None
    tables.save_instrument(database, instrument, source)
    log.info("instrument", symbol=instrument.symbol, calendar=instrument.calendar, currency=instrument.currency)
    return instrument


def instruments(
    database: Database,
    provider: Provider,
    source: str,
    wanted: list[str] | None,
    now_ms: int,
    today: Callable[[], date],
) -> tuple[list[Instrument], list[str], ProviderError | None]:
    """The known instruments of the tracked list (or of `wanted`), the unknown symbols, and what stopped the asking."""
    entries = tables.tracked(database)
    if wanted:
        chosen = set(wanted)
        entries = [entry for entry in entries if entry.symbol in chosen]
        entries += [
            Tracked(symbol, "pending", 0, None) for symbol in wanted if symbol not in {e.symbol for e in entries}
        ]
    known: list[Instrument] = []
    unknown: list[str] = []
    stopped: ProviderError | None = None
    for entry in entries:
        found = entry.instrument
        if found is None and stopped is None and needs_description(entry, now_ms):
            try:
                found = describe(database, provider, entry, source, today)
            except Malformed as error:
                log.warning("answer", symbol=entry.symbol, detail=str(error))
                continue
            except ProviderError as error:
                stopped = error
                continue
        if found is not None:
            known.append(found)
        elif stopped is None:
            unknown.append(entry.symbol)
    return known, unknown, stopped
