"""The retry policy of the one-shot commands: which failures are waited out, and for how long."""

from collections.abc import Callable
from typing import TypeVar

import structlog
from tenacity import RetryCallState, Retrying, retry_if_exception_type, stop_after_delay
from tenacity.wait import wait_random_exponential

from ingestion.errors import ProviderError, Throttled, Unauthorised, Unavailable

log = structlog.get_logger()
T = TypeVar("T")

_backoff = wait_random_exponential(multiplier=1, max=60)


def patiently(call: Callable[[], T], longest_s: float) -> T:
    """The result of a request that is worth waiting for (a backfill's): through throttling and outages of `longest_s`."""
    return _retrying(longest_s, (Throttled, Unauthorised, Unavailable))(call)


def briefly(call: Callable[[], T], longest_s: float) -> T:
    """The result of a request that is soon made again anyway (a poll's): a lost connection is tried again, a refusal is not."""
    return _retrying(longest_s, (Unavailable,))(call)


def _retrying(longest_s: float, kinds: tuple[type[ProviderError], ...]) -> Retrying:
    return Retrying(
        retry=retry_if_exception_type(kinds),
        wait=_wait,
        stop=stop_after_delay(longest_s),
        before_sleep=_say,
        reraise=True,
    )


def _wait(state: RetryCallState) -> float:
    """The provider's own word about waiting, else exponential with jitter."""
    error = state.outcome.exception() if state.outcome else None
    if isinstance(error, ProviderError) and error.next_try_s:
        return error.next_try_s
    return _backoff(state)


def _say(state: RetryCallState) -> None:
    error = state.outcome.exception() if state.outcome else None
    log.warning("provider", error=type(error).__name__, detail=str(error), next_try_s=round(state.upcoming_sleep, 1))
