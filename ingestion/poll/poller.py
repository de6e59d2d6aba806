"""A poll each minute until a given time, in one process: a minute costs its requests and no start of Python (docs/adr/0006).

The DAG `poll` starts it, says for how long and for which symbols, and keeps what it says in numbers.
"""

import time
from collections.abc import Callable
from dataclasses import dataclass

import structlog

from ingestion.errors import ProviderError
from ingestion.poll.once import Summary

log = structlog.get_logger()

MINUTE_S = 60.0
# In each minute: a provider's row is believed 30 s after it ended (market.contracts), so that the minute just past is confirmed.
SECOND = 33.0

Once = Callable[[], tuple[Summary, ProviderError | None]]


@dataclass(slots=True)
class Total(Summary):
    """What the polls of one run did together; `postponed` is what the last one left to the next."""

    polls: int = 0
    # Polls that the provider's refusal ended early.
    refused: int = 0
    # Minutes without a poll of their own, since the one before took too long.
    skipped: int = 0
    longest_poll_s: float = 0.0
    processor_s: float = 0.0

    def add(self, done: Summary, is_refused: bool) -> None:
        """Takes in one poll: what it sent is summed, what it saw is kept as it was last."""
        self.polls += 1
        self.refused += is_refused
        for name in ("requests", "rows", "bars", "actions", "dead_letters"):
            setattr(self, name, getattr(self, name) + getattr(done, name))
        for name in ("symbols", "open", "minutes_between", "postponed", "unknown", "error"):
            setattr(self, name, getattr(done, name))
        for name in ("delisted", "failed"):
            setattr(self, name, sorted({*getattr(self, name), *getattr(done, name)}))
        self.longest_poll_s = max(self.longest_poll_s, done.seconds)

    def as_dict(self) -> dict[str, object]:
        numbers = {name: round(getattr(self, name), 2) for name in ("longest_poll_s", "processor_s")}
        return Summary.as_dict(self) | numbers


def next_s(now_s: float) -> float:
    """When the next poll is due: `SECOND` of this minute, or of the next."""
    return ((now_s - SECOND) // MINUTE_S + 1) * MINUTE_S + SECOND


def run(
    once: Once, until_s: float, now_s: Callable[[], float], sleep: Callable[[float], None]
) -> tuple[Total, ProviderError | None]:
    """Polls at once, then each minute before `until_s`. Returns what was done, and the refusal that ended the last poll.

    A provider that refuses is asked again in the next minute. What is away besides (`DatabaseAway`, `BrokerAway`) ends the run:
    whoever started it knows better when to start it again.
    """
    total = Total()
    began_s, used_s = time.monotonic(), time.process_time()
    while True:
        due_s = next_s(now_s())
        done, stopped = once()
        total.add(done, stopped is not None)
        log.info("polled", **done.as_dict())
        at_s = now_s()
        total.skipped += max(0, round((next_s(at_s) - due_s) / MINUTE_S))
        if next_s(at_s) >= until_s:
            break
        sleep(next_s(at_s) - at_s)
    total.seconds, total.processor_s = time.monotonic() - began_s, time.process_time() - used_s
    return total, stopped
