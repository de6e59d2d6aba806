"""What a series is called."""

from typing import NamedTuple


class SeriesKey(NamedTuple):
    """The bars of one symbol and timeframe. Extended hours are a series of their own, without indicators."""

    symbol: str
    timeframe: str
    session: str
