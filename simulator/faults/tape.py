"""Where faults take hold of the feed: a minute's updates are told anew before they are encoded, and once more after."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING

from simulator.faults.base import Fault, Scheduled
from simulator.market import Instrument
from simulator.tape import minute_tape
from simulator.wire import Tick, encode

if TYPE_CHECKING:
    from simulator.faults.schedule import Schedule

# When an update is published (ms), and what.
TickDue = tuple[int, Tick]
FrameDue = tuple[int, str | bytes]
Frames = Callable[[Instrument, int, float], list[FrameDue]]


@dataclass(frozen=True, slots=True)
class Told:
    """Which minute of which instrument is told, and the fault that tells it otherwise."""

    scheduled: Scheduled["TickFault"]
    instrument: Instrument
    minute_ms: int

    def hits(self, due: TickDue) -> bool:
        """Whether the fault is on when an update is published, and strikes it."""
        due_ms, tick = due
        return self.scheduled.covers(due_ms) and self.scheduled.hits(tick.symbol, due_ms)


class TickFault(Fault):
    """A fault of the updates themselves."""

    def retell(self, tape: list[TickDue], told: Told) -> list[TickDue]:
        """The minute's updates as they are published; their order is made anew by the caller."""
        raise NotImplementedError


class FrameFault(Fault):
    """A fault of what goes over the wire."""

    def disturb(self, frames: list[FrameDue], scheduled: Scheduled["FrameFault"], symbol: str) -> list[FrameDue]:
        raise NotImplementedError


def faulty_frames(schedule: "Schedule") -> Frames:
    """What takes the place of the feed's own `frames_of_minute`."""

    def frames_of(instrument: Instrument, minute_ms: int, ticks_per_second: float) -> list[FrameDue]:
        symbol = instrument.listing.symbol
        tape = minute_tape(instrument, minute_ms, ticks_per_second)
        for tick_fault in schedule.of(TickFault):
            if tick_fault.concerns(symbol):
                tape = tick_fault.fault.retell(tape, Told(tick_fault, instrument, minute_ms))
        frames: list[FrameDue] = [(due_ms, encode(tick)) for due_ms, tick in sorted(tape, key=lambda due: due[0])]
        for frame_fault in schedule.of(FrameFault):
            if frame_fault.concerns(symbol):
                frames = frame_fault.fault.disturb(frames, frame_fault, symbol)
        return frames

    return frames_of
