"""What is known about a symbol before its first record: where it trades, in what currency, how its prices are written."""

from dataclasses import dataclass

MOST_DECIMALS = 8


@dataclass(frozen=True, slots=True)
class Instrument:
    """A row of `core.instruments` in state `ok`."""

    symbol: str
    name: str | None
    instrument_type: str
    exchange: str
    calendar: str
    timezone: str
    currency: str
    price_precision: int
    has_volume: bool

    @property
    def has_session_volume(self) -> bool:
        """Whether the feed's day volume counts from the session's open; crypto's runs over the last 24 hours."""
        return self.has_volume and self.instrument_type != "CRYPTOCURRENCY"


@dataclass(frozen=True, slots=True)
class Tracked:
    """A symbol of the tracked list: its instrument once it is known, or when it was last asked for."""

    symbol: str
    state: str
    updated_ms: int
    instrument: Instrument | None
    added_ms: int = 0
    has_history: bool = True
