"""What all kinds of faults have in common: whom they concern, when, and how often."""

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Generic, TypeVar, cast

import numpy as np
from pydantic import BaseModel, ConfigDict, Field

from simulator.faults.when import START, At, Length
from simulator.noise import key_of, uniform

FOREVER_MS = 1 << 60


class Fault(BaseModel):
    """A kind with its parameters. Without `symbols` it concerns all, without `for` it lasts until it is switched off.

    `share` is of the requests, ticks or minutes that it concerns. Which of them are hit follows from the fault's name, the
    symbol and the time, so a scenario repeats itself to the byte.
    """

    model_config = ConfigDict(extra="forbid", frozen=True, populate_by_name=True)

    kind: str
    name: str = Field("", max_length=80, pattern=r"^[A-Za-z0-9._-]*$")
    symbols: tuple[str, ...] = ()
    at: At = START
    for_: Length | None = Field(None, alias="for")
    share: float = Field(1.0, gt=0.0, le=1.0)

    def reach_ms(self, from_ms: int, to_ms: int) -> tuple[int, int]:
        """From when until when the exchange differs from an undisturbed one; half-open."""
        return from_ms, to_ms


F = TypeVar("F", bound=Fault)
F_co = TypeVar("F_co", bound=Fault, covariant=True)


@dataclass(frozen=True, slots=True)
class Scheduled(Generic[F_co]):
    """A fault at its place in the exchange's time: on from `from_ms` until before `to_ms`."""

    name: str
    fault: F_co
    from_ms: int
    to_ms: int = FOREVER_MS

    def covers(self, ms: int) -> bool:
        return self.from_ms <= ms < self.to_ms

    def reaches(self, ms: int) -> bool:
        begins, ends = self.fault.reach_ms(self.from_ms, self.to_ms)
        return begins <= ms < ends

    def concerns(self, *symbols: str) -> bool:
        wanted = self.fault.symbols
        return not wanted or any(symbol in wanted for symbol in symbols)

    def noise(self, purpose: str, address: int) -> float:
        """A number in (0, 1) of the fault's own."""
        return float(uniform(key_of("fault", self.name, purpose), np.array([address]))[0])

    def hits(self, symbol: str, address: int) -> bool:
        """Whether the fault strikes at this address (a time in ms, as a rule)."""
        return self.fault.share == 1.0 or self.noise(symbol, address) < self.fault.share


def of_kind(faults: Iterable[Scheduled[Fault]], kind: type[F]) -> list[Scheduled[F]]:
    """Those of a class, in their order."""
    return [cast("Scheduled[F]", scheduled) for scheduled in faults if isinstance(scheduled.fault, kind)]
