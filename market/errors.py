"""Every way in which input can be wrong, and the errors that say so.

`Reason` is the one list of codes: ingestion, the stream, the dead-letter table and the dashboard use these words.
"""

from enum import StrEnum


class Reason(StrEnum):
    """Why a record is a dead letter."""

    NOT_UTF8 = "not_utf8"
    NOT_JSON = "not_json"
    OVERSIZED = "oversized"
    WRONG_VERSION = "wrong_version"
    UNKNOWN_KIND = "unknown_kind"
    MISSING_FIELD = "missing_field"
    WRONG_TYPE = "wrong_type"
    UNKNOWN_SYMBOL = "unknown_symbol"
    UNKNOWN_TIMEFRAME = "unknown_timeframe"
    BAD_PRICE = "bad_price"
    BAD_VOLUME = "bad_volume"
    BAD_RANGE = "bad_range"
    PRICE_JUMP = "price_jump"
    MISALIGNED = "misaligned"
    BAD_TIME = "bad_time"
    FUTURE = "future"
    TOO_OLD = "too_old"
    WRONG_SOURCE = "wrong_source"


class MarketError(Exception):
    """The root of every error that `market` raises."""


class Rejected(MarketError):
    """A record breaks the contract.

    `reason` is a code of `Reason`, `detail` names the field and its value, `symbol` is empty where it could not be read.
    """

    def __init__(self, reason: Reason, detail: str, symbol: str = "") -> None:
        super().__init__(f"{reason}: {detail}")
        self.reason = reason
        self.detail = detail
        self.symbol = symbol


class UnknownCalendar(MarketError):
    """No trading calendar is known for an exchange code; add it to `market.calendars.EXCHANGE_CALENDARS`."""

    def __init__(self, exchange: str) -> None:
        super().__init__(f"no trading calendar for exchange {exchange!r}: add it to market/calendars.py")
        self.exchange = exchange
