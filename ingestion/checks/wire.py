"""Whether the provider still speaks as the platform expects: a few requests and some seconds of the live feed, each compared with
the contract. Stores nothing."""

import asyncio
from collections.abc import Callable
from dataclasses import dataclass
from enum import StrEnum

from rich.console import Console
from websockets.asyncio.client import connect
from websockets.exceptions import ProxyError, WebSocketException

from ingestion.errors import ProviderError, Throttled, Unavailable, UnknownSymbol
from ingestion.providers.base import DAY_MS, LiveProvider, MalformedFrame, Quote
from ingestion.records.instruments import Instrument
from ingestion.records.quotes import tick_of
from ingestion.records.rows import records_of
from ingestion.records.splits import SplitFactors
from market.errors import Rejected

STOCK, AROUND_THE_CLOCK, NOBODY = "AAPL", "BTC-USD", "NO-SUCH-SYMBOL-X"
FEED_S = 25.0


class Verdict(StrEnum):
    """What is said at the beginning of a finding's line."""

    OK = "ok"
    DIFFERS = "DIFFERS"
    NOT_ASKED = "NOT ASKED"


@dataclass(frozen=True, slots=True)
class Finding:
    what: str
    verdict: Verdict
    said: str


def run(provider: LiveProvider, console: Console, now_ms: Callable[[], int]) -> Verdict:
    """Says each finding as it is made. Gives the worst: a difference that was seen counts more than what could not be asked."""
    checks: tuple[tuple[str, Callable[[], str]], ...] = (
        ("description", lambda: described(provider)),
        ("minutes", lambda: rows(provider, "1m", now_ms)),
        ("days", lambda: rows(provider, "1d", now_ms)),
        ("history", lambda: history(provider, now_ms)),
        ("unknown symbol", lambda: unknown(provider)),
        ("live feed", lambda: asyncio.run(feed(provider, provider.describe(AROUND_THE_CLOCK), now_ms))),
    )
    verdicts = set()
    for what, check in checks:
        finding = found(what, check)
        verdicts.add(finding.verdict)
        line = f"{finding.verdict:<9} {provider.title}: {what:<15} {finding.said}"
        console.print(line, markup=False, highlight=False)
    return next(verdict for verdict in (Verdict.DIFFERS, Verdict.NOT_ASKED, Verdict.OK) if verdict in verdicts)


def found(what: str, check: Callable[[], str]) -> Finding:
    """A provider that is away, or will not answer now, says nothing of how it speaks."""
    try:
        return Finding(what, Verdict.OK, check())
    except (Unavailable, Throttled) as error:
        return Finding(what, Verdict.NOT_ASKED, str(error))
    except (ProviderError, Differs) as error:
        return Finding(what, Verdict.DIFFERS, str(error))


class Differs(Exception):
    """The provider answered, and not as expected."""


def described(provider: LiveProvider) -> str:
    stock, coin = provider.describe(STOCK), provider.describe(AROUND_THE_CLOCK)
    if (stock.calendar, stock.currency, coin.calendar) != ("XNYS", "USD", "24/7"):
        raise Differs(f"{STOCK} {stock.calendar} {stock.currency}, {AROUND_THE_CLOCK} {coin.calendar}")
    return f"{stock.name}, {stock.exchange}, {stock.calendar}, {stock.currency}, {stock.price_precision} decimals"


def rows(provider: LiveProvider, timeframe: str, now_ms: Callable[[], int]) -> str:
    """The newest rows of what trades around the clock: there must be some, in order, and all within the contract."""
    instrument = provider.describe(AROUND_THE_CLOCK)
    answer = provider.newest(AROUND_THE_CLOCK, timeframe)
    starts = [row.ts_ms for row in answer.rows]
    if not starts or starts != sorted(set(starts)):
        raise Differs(f"{len(starts)} rows, {'in order' if starts == sorted(set(starts)) else 'not in order'}")
    records = records_of(answer, instrument, timeframe, "yahoo", SplitFactors(answer.splits))
    if records.dead_letters:
        raise Differs(f"{len(records.dead_letters)} of {len(starts)} rows refused: {records.dead_letters[0].detail}")
    return f"{len(starts)} rows, the newest {(now_ms() - starts[-1]) / 1000:.0f} s old, {len(records.bars)} bars"


def history(provider: LiveProvider, now_ms: Callable[[], int]) -> str:
    """A year of days of a stock; its splits and dividends are un-done without a refusal."""
    instrument = provider.describe(STOCK)
    answer = provider.history(STOCK, "1d", now_ms() - 370 * DAY_MS, None)
    records = records_of(answer, instrument, "1d", "yahoo", SplitFactors(answer.splits))
    if len(records.bars) < 240 or records.dead_letters:
        raise Differs(f"{len(records.bars)} days of about 250, {len(records.dead_letters)} refused")
    return f"{len(records.bars)} days, {len(records.actions)} splits and dividends"


def unknown(provider: LiveProvider) -> str:
    try:
        provider.describe(NOBODY)
    except UnknownSymbol as error:
        return f"said so: {error.said}"
    raise Differs(f"{NOBODY} was described")


async def feed(provider: LiveProvider, instrument: Instrument, now_ms: Callable[[], int]) -> str:
    """Some seconds of the live feed: a quote comes, and becomes a tick of the contract."""
    frames, is_connected = 0, False
    try:
        async with asyncio.timeout(FEED_S), connect(provider.feed_url) as socket:
            is_connected = True
            await socket.send(provider.subscribe([instrument.symbol]))
            while True:
                frames += 1
                quote = provider.decode(await socket.recv())
                if quote is not None and quote.symbol == instrument.symbol:
                    return as_tick(quote, instrument, now_ms())
    except TimeoutError as error:
        if not is_connected:
            raise Unavailable(f"{provider.feed_url} did not answer in {FEED_S:.0f} s") from error
        raise Differs(f"no quote of {instrument.symbol} in {FEED_S:.0f} s ({frames} frames)") from error
    except MalformedFrame as error:
        raise Differs(f"frame {frames} cannot be read: {error}") from error
    except (OSError, ProxyError) as error:
        raise Unavailable(f"{provider.feed_url} cannot be reached: {' '.join(str(error).split())[:200]}") from error
    except WebSocketException as error:
        raise Differs(f"{provider.feed_url} does not answer as a feed: {' '.join(str(error).split())[:200]}") from error


def as_tick(quote: Quote, instrument: Instrument, received_ms: int) -> str:
    try:
        tick = tick_of(quote, instrument, "yahoo", received_ms)
    except Rejected as error:
        raise Differs(f"a quote is refused: {error}") from error
    return f"{tick.symbol} {tick.price:g}, {(received_ms - tick.event_ms) / 1000:.1f} s after it happened"
