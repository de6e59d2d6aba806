"""The request budget that all processes of a home share: a token bucket, a back-off and the hosts' breakers, in one locked file.

A 429 closes the bucket for everyone for as long as the provider asks, or for a time that doubles with each 429 in a row; and it
halves the rate at which the bucket fills, which each answer then restores a little (additive increase, multiplicative decrease).
"""

import fcntl
import json
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import asdict, dataclass, field, replace
from pathlib import Path
from typing import TextIO

from ingestion.errors import Throttled, Unavailable
from ingestion.requesting.breaker import Breaker

FIRST_PENALTY_S = 30.0
LONGEST_PENALTY_S = 900.0
# More than any Retry-After that makes sense; a wall clock that was set back cannot keep us out for longer.
LONGEST_BLOCK_S = 3_600.0
# The rate never falls below this share of the configured one, and an answer gives back this share.
LOWEST_SHARE = 0.1
RESTORED_SHARE = 1 / 60
# Who waits leaves others less with each second, and at last goes before them: those in a hurry need a whole token, it needs half.
AGEING_PER_S = 0.5
FOREMOST = -0.5
LONGEST_PAUSE_S = 1.0


@dataclass(slots=True)
class BucketState:
    """What is left: `tokens` at `at_s`, the rate that fills it, until when nobody asks. Wall-clock seconds."""

    tokens: float
    at_s: float
    blocked_until_s: float = 0.0
    penalty_s: float = 0.0
    # Of the configured rate, what the provider has let us keep.
    share: float = 1.0
    breakers: dict[str, Breaker] = field(default_factory=dict)


def refill(state: BucketState, now_s: float, per_minute: int) -> BucketState:
    """The state at `now_s`: full after a minute without a request. A clock that went back refills nothing."""
    rate = per_minute * state.share
    passed_s = max(0.0, now_s - state.at_s)
    tokens = min(max(1.0, rate), state.tokens + passed_s * rate / 60)
    blocked_until_s = min(state.blocked_until_s, now_s + LONGEST_BLOCK_S)
    return replace(state, tokens=tokens, at_s=now_s, blocked_until_s=blocked_until_s)


def wait_s(state: BucketState, per_minute: int, keep: float) -> float:
    """Seconds until a token is free for a caller that leaves `keep` to others; 0 when there is one now."""
    rate = per_minute * state.share
    kept = min(keep * state.share, max(0.0, rate - 1))
    return max(0.0, (1 + kept - state.tokens) * 60 / rate)


def throttle(state: BucketState, now_s: float, retry_after_s: float | None) -> BucketState:
    """The state after a 429. Those that were under way together count as one: the rate is halved once a penalty."""
    is_first = state.blocked_until_s <= now_s
    penalty_s = min(LONGEST_PENALTY_S, 2 * state.penalty_s or FIRST_PENALTY_S)
    blocked_s = retry_after_s if retry_after_s is not None else penalty_s
    return replace(
        state,
        tokens=0.0,
        at_s=now_s,
        blocked_until_s=max(state.blocked_until_s, now_s + blocked_s),
        penalty_s=penalty_s,
        share=max(LOWEST_SHARE, state.share / 2) if is_first else state.share,
    )


class Budget:
    """The bucket in its file. `keep` tokens are left to callers that are in more of a hurry (a backfill leaves some), as long as
    these leave some in turn: nobody waits for ever."""

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

    @property
    def per_minute(self) -> float:
        """The rate at which requests may be made now."""
        with self._state() as state:
            return self._per_minute * state.share

    def take(self, host: str = "") -> None:
        """Waits for a token and takes it. Raises `Throttled` while the provider has us wait, `Unavailable` while the host rests."""
        keep: float = self._keep
        while True:
            with self._state() as state:
                blocked_s = state.blocked_until_s - state.at_s
                if blocked_s > 0:
                    raise Throttled("throttled", blocked_s)
                breaker = state.breakers.get(host)
                rest_s = breaker.wait_s(state.at_s) if breaker else 0.0
                if breaker and rest_s > 0:
                    raise Unavailable(f"{host} failed {breaker.failures} times in a row", rest_s)
                pause_s = wait_s(state, self._per_minute, keep)
                if pause_s == 0.0:
                    state.tokens -= 1
                    if breaker:
                        breaker.asked(state.at_s)
                    return
            pause_s = min(pause_s, LONGEST_PAUSE_S)
            self._sleep(pause_s)
            if self._keep:
                keep = max(FOREMOST, keep - AGEING_PER_S * pause_s)

    def refused(self, retry_after_s: float | None) -> Throttled:
        """Notes a 429 and returns the error to raise."""
        with self._state() as state:
            after = throttle(state, state.at_s, retry_after_s)
            state.tokens, state.blocked_until_s, state.penalty_s = after.tokens, after.blocked_until_s, after.penalty_s
            state.share = after.share
            blocked_s = state.blocked_until_s - state.at_s
        return Throttled("throttled", blocked_s)

    def answered(self) -> None:
        """Notes an answer: the next 429 begins with the short penalty again, and a little of the rate comes back."""
        with self._state() as state:
            state.penalty_s = 0.0
            state.share = min(1.0, state.share + RESTORED_SHARE)

    def host_failed(self, host: str) -> None:
        """Notes that a host did not answer, or answered with an error of its own."""
        with self._state() as state:
            state.breakers.setdefault(host, Breaker()).failed(state.at_s)

    def host_worked(self, host: str) -> None:
        with self._state() as state:
            state.breakers.pop(host, None)

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
            body = json.load(file)
            breakers = {host: Breaker(**fields) for host, fields in body.pop("breakers", {}).items()}
            return BucketState(**body, breakers=breakers)
        except (ValueError, TypeError, AttributeError):
            return BucketState(float(self._per_minute), self._now_s())
