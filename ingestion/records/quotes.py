"""The live feed's quotes → ticks. Pure; remembers only the last tick of each symbol, to drop what a feed says twice."""

from dataclasses import replace

from ingestion.providers.base import Quote
from ingestion.records.instruments import Instrument
from market.calendars import is_regular
from market.contracts import Tick, round_price


def tick_of(quote: Quote, instrument: Instrument, source: str, fetched_ms: int) -> Tick:
    """The tick in a quote. Raises `Rejected`.

    It is of the regular session when both the provider and the calendar say so: a closing price that is repeated after the bell
    makes no bar. Zero stands for "not given" on the wire, so a day volume of zero says nothing.
    """
    precision = instrument.price_precision

    def given(price: float) -> float | None:
        return round_price(price, precision) if price else None

    tick = Tick(
        source=source,
        event_ms=quote.event_ms,
        fetched_ms=fetched_ms,
        symbol=quote.symbol,
        price=round_price(quote.price, precision),
        day_volume=quote.day_volume or None if instrument.has_session_volume else None,
        session="regular" if quote.is_regular and _is_open(instrument.calendar, quote.event_ms, fetched_ms) else "ext",
        day_high=given(quote.day_high),
        day_low=given(quote.day_low),
        previous_close=given(quote.previous_close),
    )
    tick.check()
    return tick


def _is_open(calendar: str, event_ms: int, fetched_ms: int) -> bool:
    """Whether the exchange was open. No calendar is asked about a time that the contract refuses: it may lie beyond all years."""
    is_possible = fetched_ms - Tick.MAX_BEHIND_MS <= event_ms <= fetched_ms + Tick.MAX_AHEAD_MS
    return is_possible and is_regular(calendar, event_ms)


class Repeats:
    """Knows whether a tick says the same as the one before it of its symbol, received again."""

    def __init__(self) -> None:
        self._last: dict[str, Tick] = {}

    def is_repeat(self, tick: Tick) -> bool:
        """Whether only the receive time differs from the symbol's last tick, which is then this one."""
        last = self._last.get(tick.symbol)
        self._last[tick.symbol] = tick
        if last is None or last.event_ms != tick.event_ms:
            return False
        return replace(last, fetched_ms=tick.fetched_ms) == tick
