"""The provider from within the event loop: one request at a time, and a wait after what went wrong."""

import asyncio
import random
from collections.abc import Callable
from typing import TypeVar

import structlog

from ingestion.errors import ABOUT_ONE_ANSWER, ProviderError
from ingestion.live.backoff import backoff_s
from ingestion.live.threads import in_thread

log = structlog.get_logger()
T = TypeVar("T")


class Asking:
    """Calls that block, one by one. `trouble` is what stopped the last one, and `next_try_ms` when the next may be made."""

    def __init__(self, now_ms: Callable[[], int], rng: random.Random) -> None:
        self._lock = asyncio.Lock()
        self._now_ms = now_ms
        self._rng = rng
        self._failures = 0
        self.trouble: ProviderError | None = None
        self.next_try_ms = 0

    async def ask(self, call: Callable[[], T]) -> T:
        """The result, once the provider may be asked again. Raises `ProviderError`, having noted what is wrong with it."""
        async with self._lock:
            await asyncio.sleep(max(0, self.next_try_ms - self._now_ms()) / 1000)
            try:
                result = await in_thread(call)
            except ABOUT_ONE_ANSWER:
                # The provider itself is well; the caller decides when it asks about this symbol again.
                self._well()
                raise
            except ProviderError as error:
                pause_s = error.next_try_s or backoff_s(self._failures, first_s=5.0, longest_s=300.0, rng=self._rng)
                self._failures += 1
                self.trouble = error
                self.next_try_ms = self._now_ms() + int(pause_s * 1000)
                log.warning("provider", error=type(error).__name__, detail=str(error), next_try_s=round(pause_s, 1))
                raise
            self._well()
            return result

    def _well(self) -> None:
        self._failures = 0
        self.trouble = None
