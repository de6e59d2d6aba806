"""Updates that come twice, out of order, with a day volume that begins anew, or with a price that cannot be."""

import math
from dataclasses import replace
from typing import Literal

from pydantic import Field

from simulator.faults.tape import TickDue, TickFault, Told
from simulator.faults.when import Length
from simulator.noise import Ints
from simulator.parts import part_at
from simulator.tape import day_so_far


class DuplicateTicks(TickFault):
    """An update is sent again, so long `after` the first time."""

    kind: Literal["duplicate_ticks"] = "duplicate_ticks"
    after: Length = 0
    copies: int = Field(1, ge=1, le=10)

    def retell(self, tape: list[TickDue], told: Told) -> list[TickDue]:
        again = [(due_ms + self.after, tick) for due_ms, tick in tape if told.hits((due_ms, tick))]
        return tape + again * self.copies


class OutOfOrderTicks(TickFault):
    """An update is held back `by` so long, and comes after later ones. With a share of 1 the whole feed is late."""

    kind: Literal["out_of_order_ticks"] = "out_of_order_ticks"
    share: float = Field(0.2, gt=0.0, le=1.0)
    by: Length = 2_000

    def retell(self, tape: list[TickDue], told: Told) -> list[TickDue]:
        return [(due[0] + self.by, due[1]) if told.hits(due) else due for due in tape]


class VolumeReset(TickFault):
    """The cumulative day volume counts from 0 again at the fault's start; after its end it is right again."""

    kind: Literal["volume_reset"] = "volume_reset"

    def retell(self, tape: list[TickDue], told: Told) -> list[TickDue]:
        instrument, from_ms = told.instrument, told.scheduled.from_ms
        began_in, is_in = part_at(instrument, from_ms), part_at(instrument, told.minute_ms)
        if began_in is None or is_in is None or began_in[0] != is_in[0]:
            return tape
        row, part = began_in
        starts: Ints = instrument.minute_starts(row, part)
        minute = int((starts <= from_ms).sum()) - 1
        counted = day_so_far(instrument, row, part, minute).volume
        return [
            (due[0], replace(due[1], day_volume=max(due[1].day_volume - counted, 0))) if told.hits(due) else due
            for due in tape
        ]


class BadPrices(TickFault):
    """Prices that no market prints: negative, zero, not a number, or off by a `factor`."""

    kind: Literal["bad_prices"] = "bad_prices"
    share: float = Field(0.1, gt=0.0, le=1.0)
    value: Literal["negative", "zero", "nan", "spike"] = "negative"
    factor: float = Field(10.0, gt=0.0)

    def retell(self, tape: list[TickDue], told: Told) -> list[TickDue]:
        return [(due[0], replace(due[1], price=self._bad(due[1].price))) if told.hits(due) else due for due in tape]

    def _bad(self, price: float) -> float:
        return {"negative": -price, "zero": 0.0, "nan": math.nan, "spike": price * self.factor}[self.value]
