"""Prices that jump absurdly from one tick of the live feed to the next. Pure.

The live service judges it, which sees ticks in the order of the feed; the stream must not judge by what came before.
"""

from market.contracts import Tick
from market.errors import Reason, Rejected

# Beyond what a market does between two ticks. A split does it once, overnight: the second tick then confirms the first.
MAX_JUMP = 10.0


class Jumps:
    """Knows each symbol's last price. `most` is the factor by which the next one may differ."""

    def __init__(self, most: float = MAX_JUMP) -> None:
        self._most = most
        self._last: dict[str, float] = {}
        self._refused: dict[str, tuple[int, float]] = {}

    def check(self, tick: Tick) -> None:
        """Raises `Rejected`. A later tick that says the same as a refused one is believed, and so are those after it."""
        last = self._last.get(tick.symbol)
        if last is not None and not self._is_near(tick.price, last):
            at_ms, price = self._refused.get(tick.symbol, (tick.event_ms, last))
            if tick.event_ms <= at_ms or not self._is_near(tick.price, price):
                self._refused[tick.symbol] = (tick.event_ms, tick.price)
                detail = f"price={tick.price} after {last}, at most a factor of {self._most:g}"
                raise Rejected(Reason.PRICE_JUMP, detail, tick.symbol)
        self._refused.pop(tick.symbol, None)
        self._last[tick.symbol] = tick.price

    def _is_near(self, price: float, other: float) -> bool:
        return price <= other * self._most and other <= price * self._most
