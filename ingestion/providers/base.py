"""What ingestion asks of a provider. A provider is one file in this folder; the rest of ingestion knows none by name."""

from collections.abc import Iterable
from dataclasses import dataclass, field
from datetime import date
from typing import ClassVar, Protocol

from ingestion.records.instruments import Instrument

DAY_MS = 86_400_000


@dataclass(frozen=True, slots=True)
class Row:
    """A bar as the provider gave it. `day` is its date in the exchange's time zone."""

    ts_ms: int
    day: date
    open: float
    high: float
    low: float
    close: float
    volume: float


@dataclass(frozen=True, slots=True)
class Answer:
    """The rows of one request, oldest first, and the corporate actions between them.

    `splits` are (ex-date, new shares for an old one), `dividends` (ex-date, currency a share); prices, volumes and dividends
    before a split are adjusted for it, as providers do. `asked_ms` is when the request was sent: what had ended long before is
    surely settled in the answer.
    """

    asked_ms: int
    rows: list[Row] = field(default_factory=list)
    splits: list[tuple[date, float]] = field(default_factory=list)
    dividends: list[tuple[date, float]] = field(default_factory=list)


@dataclass(frozen=True, slots=True)
class Quote:
    """A message of the live feed. `day_volume` is 0 where the message has none; `is_regular` is the provider's own flag."""

    symbol: str
    event_ms: int
    price: float
    day_volume: int
    is_regular: bool
    day_high: float
    day_low: float
    previous_close: float


@dataclass(frozen=True, slots=True)
class Reach:
    """How far back a provider gives a timeframe, and how much of it in one request. None is all."""

    days_back: int | None
    days_a_request: int | None


class MalformedFrame(ValueError):
    """A frame of the live feed that is not what the protocol says."""


class Provider(Protocol):
    """Requests raise the errors of `ingestion.errors.ProviderError`, never a library's own; they block."""

    title: str
    reach: ClassVar[dict[str, Reach]]

    def describe(self, symbol: str) -> Instrument:
        """What is known about a symbol. Raises `UnknownSymbol`."""

    def newest(self, symbol: str, timeframe: str) -> Answer:
        """The rows of the newest session (intraday), or of the last few (1d)."""

    def history(self, symbol: str, timeframe: str, start_ms: int | None, end_ms: int | None) -> Answer:
        """The rows from `start_ms` to before `end_ms`; None is as far as there are any. An answer without rows is an answer."""


class LiveProvider(Provider, Protocol):
    """A provider with a live feed: a WebSocket's address and its messages."""

    feed_url: str

    def subscribe(self, symbols: Iterable[str]) -> str:
        """The message that asks for the symbols, also when it is sent again."""

    def unsubscribe(self, symbols: Iterable[str]) -> str:
        """The message that asks for them no more."""

    def decode(self, frame: str | bytes) -> Quote | None:
        """The quote in a frame, None for a frame of the protocol that has none. Raises `MalformedFrame`."""
