"""Connections of the feed that end, or that are dead without ending."""

import asyncio
from collections.abc import Callable
from contextlib import suppress
from typing import TYPE_CHECKING, Literal

import structlog
from pydantic import Field

from simulator.faults.base import Fault, Scheduled
from simulator.faults.silences import FeedSilence
from simulator.faults.when import Length
from simulator.feed import Client, Feed

if TYPE_CHECKING:
    from simulator.faults.schedule import Schedule

log = structlog.get_logger()
LOOK_EVERY_S = 0.1
# The exchange's time may leap ahead (`market/timeline.py`).
LONGEST_WAIT_S = 1.0


class SocketFault(Fault):
    """Ends every connection so long `after` the fault's start, and those that are opened while it lasts after as long."""

    for_: Length | None = Field(1_000, alias="for")
    after: Length = 0

    async def end(self, client: Client) -> None:
        raise NotImplementedError


class FeedClose(SocketFault):
    """A clean close with a code of the WebSocket protocol."""

    kind: Literal["feed_close"] = "feed_close"
    code: int = Field(1000, ge=1000, le=4999)

    async def end(self, client: Client) -> None:
        await client.socket.close(code=self.code, message=b"simulated")


class FeedAbort(SocketFault):
    """The connection is reset, without a word."""

    kind: Literal["feed_abort"] = "feed_abort"

    async def end(self, client: Client) -> None:
        client.transport.abort()


class Disturber:
    """Watches the feed's connections while a fault of theirs is on, and sleeps when none is to come."""

    def __init__(self, schedule: "Schedule", feed: Feed, clock_ms: Callable[[], int], speed: float) -> None:
        self.schedule = schedule
        self.feed = feed
        self.clock_ms = clock_ms
        self.speed = speed
        self._seen_ms: dict[Client, int] = {}
        self._dead: set[Client] = set()

    async def run(self) -> None:
        """Works until it is cancelled."""
        while True:
            now_ms = self.clock_ms()
            await self._look(now_ms)
            wait_s = self._wait_s(now_ms)
            with suppress(TimeoutError):
                await asyncio.wait_for(self.schedule.changed.wait(), wait_s)
            self.schedule.changed.clear()

    def _wait_s(self, now_ms: int) -> float | None:
        """Until something may have to be done: soon while a fault is on, else its beginning; None when none is to come."""
        ahead = [*self.schedule.of(SocketFault), *self._silences()]
        if self._dead or any(scheduled.covers(now_ms) for scheduled in ahead):
            return LOOK_EVERY_S
        begins = [scheduled.from_ms for scheduled in ahead if scheduled.from_ms > now_ms]
        return min((min(begins) - now_ms) / 1000 / self.speed, LONGEST_WAIT_S) if begins else None

    def _silences(self) -> list[Scheduled[FeedSilence]]:
        return [scheduled for scheduled in self.schedule.of(FeedSilence) if not scheduled.fault.answers_pings]

    async def _look(self, now_ms: int) -> None:
        self._seen_ms = {client: self._seen_ms.get(client, now_ms) for client in self.feed.clients}
        for scheduled in self.schedule.of(SocketFault):
            if not scheduled.covers(now_ms):
                continue
            for client, seen_ms in list(self._seen_ms.items()):
                if now_ms >= max(seen_ms, scheduled.from_ms) + scheduled.fault.after:
                    log.info("a connection is ended on purpose", fault=scheduled.name)
                    await scheduled.fault.end(client)
                    self.feed.detach(client)
        self._play_dead(any(scheduled.covers(now_ms) for scheduled in self._silences()))

    def _play_dead(self, is_dead: bool) -> None:
        """What is not read is not answered."""
        if is_dead:
            for client in self.feed.clients - self._dead:
                client.transport.pause_reading()
                self._dead.add(client)
            return
        for client in self._dead:
            if not client.transport.is_closing():
                client.transport.resume_reading()
        self._dead.clear()
