"""The tracked list from the command line: `symbols list | add | remove`. What is added is validated by the provider."""

from collections.abc import Callable
from datetime import date, datetime

from rich.console import Console
from rich.markup import escape
from rich.table import Table

from ingestion import tables
from ingestion.database import Database
from ingestion.errors import IngestionError, NotTracked, ProviderError, Throttled, Unavailable, UnknownSymbol, capital
from ingestion.poll.standing import standing
from ingestion.providers.base import Provider
from ingestion.records.instruments import Instrument
from ingestion.requesting.retries import briefly
from market.calendars import session_at

# How long a provider that is away is tried again for somebody who waits at a terminal.
RETRY_S = 5.0

LIST = """
SELECT i.symbol, i.name, i.instrument_type, i.exchange, i.calendar, i.currency, i.price_precision, i.state, i.state_detail,
       i.history_at IS NOT NULL, l.price, l.event_time,
       EXISTS (SELECT FROM v1.provider_trouble t WHERE t.kind = 'throttled' AND t.ends_at > now()),
       (SELECT string_agg(q.check_name, ', ' ORDER BY q.check_name) FROM v1.quarantine q WHERE q.symbol = i.symbol AND q.is_in)
FROM v1.instruments i LEFT JOIN v1.latest l USING (symbol)
WHERE i.tracked ORDER BY i.added_at, i.symbol
"""
COLUMNS = (
    "symbol",
    "name",
    "type",
    "exchange",
    "calendar",
    "currency",
    "decimals",
    "standing",
    "history",
    "price",
    "at",
)


def add(
    database: Database,
    provider: Callable[[], Provider],
    source: str,
    symbols: list[str],
    today: Callable[[], date],
    console: Console,
) -> IngestionError | None:
    """Tracks each symbol that the provider knows, and says what it is. Returns what went wrong with the last of the others."""
    tracked = {entry.symbol: entry for entry in tables.tracked(database)}
    failure: IngestionError | None = None
    for symbol in symbols:
        entry = tracked.get(symbol)
        if entry is not None and entry.instrument is not None:
            console.print(f"{symbol} is tracked already: {described(entry.instrument)}", markup=False, highlight=False)
            continue
        try:
            instrument = briefly(lambda: provider().describe(symbol), RETRY_S)  # noqa: B023
        except UnknownSymbol as error:
            failure = UnknownSymbol(capital(f"{provider().title} knows no symbol {symbol}: {error.said}"))
        except ProviderError as error:
            failure = type(error)(f"{symbol} was not added, {provider().title} did not say what it is: {error}")
        else:
            tables.save_instrument(database, instrument, source)
            tables.track(database, symbol)
            console.print(f"{symbol} is tracked: {described(instrument)}", markup=False, highlight=False)
            continue
        console.print(str(failure), markup=False, highlight=False, style="red")
    return failure


def remove(database: Database, symbols: list[str], console: Console) -> IngestionError | None:
    """Tracks the symbols no more; their data stay."""
    failure: IngestionError | None = None
    for symbol in symbols:
        if tables.untrack(database, symbol):
            console.print(f"{symbol} is tracked no more; its data stay", markup=False, highlight=False)
            continue
        failure = NotTracked(f"{symbol} is not tracked: `symbols list` shows what is")
        console.print(str(failure), markup=False, highlight=False, style="red")
    return failure


def described(instrument: Instrument) -> str:
    """Name, kind, exchange, hours, currency and decimals in one line."""
    return (
        f"{instrument.name or instrument.symbol}, {instrument.instrument_type.lower()} on {instrument.exchange}, "
        f"calendar {instrument.calendar} ({instrument.timezone}), in {instrument.currency or 'no currency'}, "
        f"{instrument.price_precision} decimals{'' if instrument.has_volume else ', no volume'}"
    )


def listed(database: Database, now_ms: int) -> Table:
    """The tracked list for a terminal."""
    table = Table(*COLUMNS, box=None, pad_edge=False)
    table.columns[0].no_wrap = True
    for (
        symbol,
        name,
        kind,
        exchange,
        calendar,
        currency,
        decimals,
        state,
        detail,
        history,
        price,
        at,
        throttled,
        checks,
    ) in database.run(LIST):
        table.add_row(
            symbol,
            escape(name or ""),
            (kind or "").lower(),
            exchange or "",
            calendar or "",
            currency or "",
            str(decimals),
            escape(detail or "")
            or (f"in quarantine ({checks})" if checks else standing_of(state, calendar, throttled, now_ms)),
            "fetched" if history else "not yet",
            "" if price is None else f"{price:.{decimals}f}",
            "" if at is None else spoken(at),
        )
    return table


def standing_of(state: str, calendar: str | None, is_throttled: bool, now_ms: int) -> str:
    """How the symbol stands now: trading, closed, throttled, unknown, or not asked about yet."""
    error: ProviderError | None = Throttled("") if is_throttled else None
    if state == "unknown":
        error = UnknownSymbol("")
    elif state == "pending" and error is None:
        error = Unavailable("")
    is_open = calendar is not None and session_at(calendar, now_ms) is not None
    return standing(error, 1, is_open, was_known=False)


def spoken(at: datetime) -> str:
    return f"{at:%Y-%m-%d %H:%M:%S}"
