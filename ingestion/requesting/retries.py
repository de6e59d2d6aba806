"""The retry policies of the one-shot commands, by class of error: how often, and for how long a failure is waited out."""

import time
from collections.abc import Callable, Mapping
from typing import TypeVar

import structlog
from tenacity import RetryCallState, Retrying
from tenacity.wait import wait_random_exponential

from ingestion.errors import Malformed, ProviderError, Throttled, Unauthorised, Unavailable

log = structlog.get_logger()
T = TypeVar("T")
Told = Callable[[ProviderError, float], None]

_backoff = wait_random_exponential(multiplier=1, max=60)
WITHOUT_LIMIT = 1_000_000

# How often a request is made in all, by what went wrong; a class that is not named is not asked again.
# A provider that refuses renews its cookie and crumb by itself; an answer that was cut short may be whole the next time.
PATIENT: Mapping[type[ProviderError], int] = {
    Throttled: WITHOUT_LIMIT,
    Unavailable: WITHOUT_LIMIT,
    Unauthorised: WITHOUT_LIMIT,
    Malformed: 3,
}
BRIEF: Mapping[type[ProviderError], int] = {Unavailable: WITHOUT_LIMIT, Malformed: 2}


def patiently(call: Callable[[], T], longest_s: float, told: Told | None = None) -> T:
    """The result of a request that is worth waiting for (a backfill's): through throttling and outages of `longest_s`.

    `told` hears of each wait what it is for and its seconds.
    """
    return _retrying(longest_s, PATIENT, told)(call)


def briefly(call: Callable[[], T], longest_s: float) -> T:
    """The result of a request that is soon made again anyway (a poll's): a lost connection is tried again, a refusal is not."""
    return _retrying(longest_s, BRIEF)(call)


def _retrying(longest_s: float, tries: Mapping[type[ProviderError], int], told: Told | None = None) -> Retrying:
    ends_s = time.monotonic() + longest_s

    def is_worth_it(state: RetryCallState) -> bool:
        error = _error(state)
        return error is not None and state.attempt_number < tries.get(type(error), 0)

    def is_too_late(state: RetryCallState) -> bool:
        """Whether the next try would come after the end: a rest that is longer is not begun."""
        return time.monotonic() + state.upcoming_sleep > ends_s

    def say(state: RetryCallState) -> None:
        error = _error(state)
        log.warning(
            "provider", error=type(error).__name__, detail=str(error), next_try_s=round(state.upcoming_sleep, 1)
        )
        if told is not None and error is not None:
            told(error, state.upcoming_sleep)

    return Retrying(retry=is_worth_it, wait=_wait, stop=is_too_late, before_sleep=say, reraise=True)


def _error(state: RetryCallState) -> ProviderError | None:
    error = state.outcome.exception() if state.outcome else None
    return error if isinstance(error, ProviderError) else None


def _wait(state: RetryCallState) -> float:
    """The provider's own word about waiting, else exponential with jitter."""
    error = _error(state)
    return error.next_try_s if error is not None and error.next_try_s else float(_backoff(state))
