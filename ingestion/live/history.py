"""The history of symbols that are added while the live service runs: a backfill in a process of its own, one symbol at a time.

A process, since unpacking a hundred thousand rows would keep the live feed waiting. The backfill claims its symbol in the
database, so that it never works beside one of Airflow's.
"""

import asyncio
from collections.abc import Callable, Iterable, Sequence

import structlog

from ingestion.records.instruments import Tracked

log = structlog.get_logger()

# What is tracked at a first start is the backfill DAG's work; what it has not begun by then is taken here too.
LEFT_TO_OTHERS_MS = 300_000
AGAIN_MS = 120_000
LOOK_S = 0.5
STOP_S = 5.0


class Histories:
    """Starts backfills for the tracked symbols that have none. `note` is told the list each time it is read."""

    def __init__(self, now_ms: Callable[[], int], command: Sequence[str]) -> None:
        self._now_ms = now_ms
        self._command = command
        self._began_ms = now_ms()
        self._not_before_ms: dict[str, int] = {}
        self._tries: dict[str, int] = {}
        self._wanted: list[Tracked] = []

    def begin(self) -> None:
        """What is tracked from now on is new; the list of a first start is not."""
        self._began_ms = self._now_ms()

    def note(self, entries: Iterable[Tracked]) -> None:
        self._wanted = [entry for entry in entries if entry.instrument is not None and not entry.has_history]

    def due(self) -> str | None:
        """The symbol whose history is to be fetched next."""
        now_ms = self._now_ms()
        for entry in self._wanted:
            is_new = entry.added_ms > self._began_ms
            is_left = now_ms - max(entry.added_ms, self._began_ms) > LEFT_TO_OTHERS_MS
            if (is_new or is_left) and now_ms >= self._not_before_ms.get(entry.symbol, 0):
                return entry.symbol
        return None

    async def run(self) -> None:
        while True:
            symbol = self.due()
            if symbol is None:
                await asyncio.sleep(LOOK_S)
                continue
            log.info("history", symbol=symbol)
            exit_code = await self._fetch(symbol)
            # The list that says so has not been read again yet; and what failed is tried less and less often.
            tries = self._tries[symbol] = self._tries.get(symbol, -1) + 1
            self._not_before_ms[symbol] = self._now_ms() + AGAIN_MS * 2 ** min(tries, 5)
            log.info("history done", symbol=symbol, exit_code=exit_code)

    async def _fetch(self, symbol: str) -> int:
        """Its log lines go where the service's own go. Ended with the service."""
        process = await asyncio.create_subprocess_exec(
            *self._command, symbol, stdin=asyncio.subprocess.DEVNULL, stdout=asyncio.subprocess.DEVNULL
        )
        try:
            return await process.wait()
        finally:
            if process.returncode is None:
                process.terminate()
                try:
                    await asyncio.wait_for(process.wait(), STOP_S)
                except TimeoutError:
                    process.kill()
