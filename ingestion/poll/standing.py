"""What it means that the provider has nothing, or nothing new, of a symbol. Pure.

yfinance says "possibly delisted" of everything. Four things look alike from afar and are told apart here: an exchange that is
closed, a provider that throttles us or cannot be asked, a symbol that nobody knows, and one that was known and is no more.
"""

from ingestion.errors import ProviderError, Throttled, UnknownSymbol

CLOSED = "closed"
TRADING = "trading"
THROTTLED = "throttled"
NOT_ASKED = "not asked"
UNKNOWN = "unknown"
DELISTED = "possibly delisted"


def standing(error: ProviderError | None, rows: int, is_open: bool, was_known: bool) -> str:
    """`was_known`: the provider has described the symbol before. An error about the provider says nothing about the symbol."""
    if isinstance(error, Throttled):
        return THROTTLED
    if isinstance(error, UnknownSymbol):
        return DELISTED if was_known else UNKNOWN
    if error is not None:
        return NOT_ASKED
    if is_open and rows:
        return TRADING
    return CLOSED if not is_open else "quiet"


def delisted_sentence(title: str, said: str, last_day: str | None) -> str:
    """For the symbol's row and whoever reads it."""
    since = f"; its last bar is of {last_day}" if last_day else ""
    return f"{DELISTED}: {title} described it once and now answers: {said}{since}"
