"""What a platform refuses although it keeps the contract: times out of its reach, and prices that jump absurdly.

A jump is judged by the record alone, never by what came before it: so that a record is taken or refused wherever a batch is cut and
in whatever order it came. (The live service, which sees one tick after the other, judges that: ingestion/live/jumps.py.)
"""

import math
from dataclasses import dataclass

from market.contracts import END_MS, FIRST_MS, Bar, Record, Tick
from market.errors import Reason, Rejected
from market.timeframes import TIMEFRAMES

# Within a session; a week or a month may do it honestly.
JUDGED = tuple(frame.name for frame in TIMEFRAMES.values() if frame.is_intraday or frame.name == "1d")


@dataclass(frozen=True, slots=True)
class Bounds:
    """Events are taken from `from_ms` (no partition is attached before it) to before `until_ms` (nothing can have happened then).

    Prices that a record holds side by side may differ by the factor `max_jump`: a tick's price and the day's high and low and the
    previous close that came with it, a bar's high and low.
    """

    from_ms: int = FIRST_MS
    until_ms: int = END_MS
    max_jump: float = math.inf

    def check(self, record: Record, symbol: str) -> None:
        """Raises `Rejected`."""
        if record.event_ms >= self.until_ms:
            detail = f"event_ms={record.event_ms}, nothing is read from {self.until_ms} on"
            raise Rejected(Reason.FUTURE, detail, symbol)
        if isinstance(record, Tick | Bar) and record.event_ms < self.from_ms:
            detail = f"event_ms={record.event_ms}, the oldest partition takes bars from {self.from_ms} on"
            raise Rejected(Reason.TOO_OLD, detail, symbol)
        match record:
            case Tick():
                for name in ("day_high", "day_low", "previous_close"):
                    self.check_jump("price", record.price, name, getattr(record, name), symbol)
            case Bar() if record.timeframe in JUDGED:
                self.check_jump("high", record.high, "low", record.low, symbol)

    def check_jump(self, name: str, price: float, other_name: str, other: float | None, symbol: str) -> None:
        if other is not None and (price > other * self.max_jump or other > price * self.max_jump):
            detail = f"{name}={price} {other_name}={other}, at most a factor of {self.max_jump:g}"
            raise Rejected(Reason.PRICE_JUMP, detail, symbol)


EVERYTHING = Bounds()
