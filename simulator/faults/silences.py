"""A feed that is open and says nothing."""

from typing import Literal

from simulator.faults.base import Scheduled
from simulator.faults.tape import FrameDue, FrameFault


class FeedSilence(FrameFault):
    """No updates. Pings are answered still, unless `answers_pings` is false: then the connection is as dead as a cut cable."""

    kind: Literal["feed_silence"] = "feed_silence"
    answers_pings: bool = True

    def disturb(self, frames: list[FrameDue], scheduled: Scheduled[FrameFault], symbol: str) -> list[FrameDue]:
        return [
            (due_ms, frame)
            for due_ms, frame in frames
            if not (scheduled.covers(due_ms) and scheduled.hits(symbol, due_ms))
        ]
