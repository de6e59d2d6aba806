"""The request budget that all processes of a home share: a token bucket and a back-off, kept in one small locked file.

A 429 closes the bucket for everyone for as long as the provider asks, or for a time that doubles with each 429 in a row.
"""

import fcntl
import json
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import TextIO

from ingestion.errors import Throttled

FIRST_PENALTY_S = 30.0
LONGEST_PENALTY_S = 900.0
# More than any Retry-After that makes sense; a wall clock that was set back cannot keep us out for longer.
LONGEST_BLOCK_S = 3_600.0


@dataclass(slots=True)
class BucketState:
    """What is left: `tokens` at `at_s`, and until when nobody asks. Wall-clock seconds, since processes share it."""

    tokens: float
    at_s: float
    blocked_until_s: float = 0.0
    penalty_s: float = 0.0


def refill(state: BucketState, now_s: float, per_minute: int) -> BucketState:
    """The state at `now_s`: full after a minute without a request. A clock that went back refills nothing."""
    passed_s = max(0.0, now_s - state.at_s)
    tokens = min(float(per_minute), state.tokens + passed_s * per_minute / 60)
    return BucketState(tokens, now_s, min(state.blocked_until_s, now_s + LONGEST_BLOCK_S), state.penalty_s)


def wait_s(state: BucketState, per_minute: int, keep: int) -> float:
    """Seconds until a token is free for a caller that leaves `keep` to others; 0 when there is one now."""
    return max(0.0, (1 + keep - state.tokens) * 60 / per_minute)


def throttle(state: BucketState, now_s: float, retry_after_s: float | None) -> BucketState:
    """The state after a 429."""
    penalty_s = min(LONGEST_PENALTY_S, 2 * state.penalty_s or FIRST_PENALTY_S)
    blocked_s = retry_after_s if retry_after_s is not None else penalty_s
    return BucketState(0.0, now_s, max(state.blocked_until_s, now_s + blocked_s), penalty_s)


class Budget:
    """The bucket in its file. `keep` tokens are left to callers that are in more of a hurry (a backfill leaves some)."""

    def __init__(
        self,
        path: Path,
        per_minute: int,
        keep: int = 0,
        now_s: Callable[[], float] = time.time,
        sleep: Callable[[float], None] = time.sleep,
    ) -> None:
        path.parent.mkdir(parents=True, exist_ok=True)
        self._path = path
        self._per_minute = per_minute
        self._keep = min(keep, per_minute - 1)
        self._now_s = now_s
        self._sleep = sleep

    def take(self) -> None:
        """Waits for a token and takes it. Raises `Throttled` while the provider has us wait."""
        while True:
            with self._state() as state:
                blocked_s = state.blocked_until_s - state.at_s
                if blocked_s > 0:
                    raise Throttled(f"throttled, next try in {blocked_s:.0f} s", blocked_s)
                pause_s = wait_s(state, self._per_minute, self._keep)
                if pause_s == 0.0:
                    state.tokens -= 1
                    return
            self._sleep(pause_s)

    def refused(self, retry_after_s: float | None) -> Throttled:
        """Notes a 429 and returns the error to raise."""
        with self._state() as state:
            after = throttle(state, state.at_s, retry_after_s)
            state.tokens, state.blocked_until_s, state.penalty_s = after.tokens, after.blocked_until_s, after.penalty_s
            blocked_s = state.blocked_until_s - state.at_s
        return Throttled(f"throttled, next try in {blocked_s:.0f} s", blocked_s)

    def answered(self) -> None:
        """Notes an answer: the next 429 begins with the short penalty again."""
        with self._state() as state:
            state.penalty_s = 0.0

    @contextmanager
    def _state(self) -> Iterator[BucketState]:
        """The state as of now, written back at the end. The kernel releases the lock of a process that dies."""
        with self._path.open("a+") as file:
            fcntl.flock(file, fcntl.LOCK_EX)
            state = refill(self._read(file), self._now_s(), self._per_minute)
            yield state
            file.seek(0)
            file.truncate()
            json.dump(asdict(state), file)

    def _read(self, file: TextIO) -> BucketState:
        """A file that is new, or was cut short by a power cut, is a full bucket."""
        file.seek(0)
        try:
            return BucketState(**json.load(file))
        except (ValueError, TypeError):
            return BucketState(float(self._per_minute), self._now_s())
