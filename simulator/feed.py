"""The live feed: who is subscribed to what, and updates sent when they are due."""

import asyncio
import heapq
from collections import defaultdict
from collections.abc import Callable, Iterable
from contextlib import suppress
from dataclasses import dataclass

import structlog
from aiohttp import WSCloseCode, web

from simulator import metrics
from simulator.market import Instrument, Market
from simulator.sessions import MINUTE_MS
from simulator.tape import frames_of_minute

log = structlog.get_logger()

# Updates that fall due within this time go out together: less than a reader notices, and cheaper than a wake-up each.
TOGETHER_MS = 10
# A minute's updates are prepared so long before it begins; in the machine's time, as below.
LEAD_MS = 4_000
# What could not be sent in time (the machine slept) is not sent at all, as a live feed would not.
STALE_MS = 5_000
# A client that does not read is dropped when so many bytes wait for it.
MAX_WAITING_BYTES = 4 << 20


Frame = str | bytes
# The frames of an instrument's minute at a rate of updates, each with when it is published (ms).
Frames = Callable[[Instrument, int, float], list[tuple[int, Frame]]]


@dataclass(frozen=True, eq=False)
class Client:
    """An open WebSocket and the transport under it."""

    socket: web.WebSocketResponse
    transport: asyncio.Transport

    async def send(self, frame: Frame) -> None:
        await (self.socket.send_str(frame) if isinstance(frame, str) else self.socket.send_bytes(frame))


class Feed:
    """Publishes the tape of every subscribed symbol. One pair of tasks (`run`) serves all clients.

    All its times are the exchange's, of which `speed` seconds pass in one of the machine's.
    """

    def __init__(
        self,
        market: Market,
        ticks_per_second: float,
        clock_ms: Callable[[], int],
        frames: Frames = frames_of_minute,
        speed: float = 1.0,
    ) -> None:
        self.market = market
        self.ticks_per_second = ticks_per_second
        self.clock_ms = clock_ms
        self.frames = frames
        self.speed = speed
        self.lead_ms = int(LEAD_MS * speed)
        self.clients: set[Client] = set()
        self._subscribers: dict[str, set[Client]] = defaultdict(set)
        self._due: list[tuple[int, int, str, Frame]] = []
        self._taped_through_ms: dict[str, int] = {}
        self._published_ms = 0
        self._retold_since_ms: dict[str, int] = {}
        self._pushed = 0
        self._new_subscription = asyncio.Event()
        self._new_tape = asyncio.Event()

    def attach(self, client: Client) -> None:
        # A slow client must not hold up the others: its writes never wait, and `_send` drops it when it is too far behind.
        client.transport.set_write_buffer_limits(high=2 * MAX_WAITING_BYTES)
        self.clients.add(client)
        metrics.SOCKETS.set(len(self.clients))

    def detach(self, client: Client) -> None:
        """Forgets a client that is gone."""
        self.unsubscribe(client, list(self._subscribers))
        self.clients.discard(client)
        metrics.SOCKETS.set(len(self.clients))

    def subscribe(self, client: Client, symbols: Iterable[str]) -> None:
        """Adds symbols; those that are not listed are ignored, as Yahoo does."""
        for symbol in symbols:
            if symbol in self.market.listings:
                self._subscribers[symbol].add(client)
        self._new_subscription.set()

    def unsubscribe(self, client: Client, symbols: Iterable[str]) -> None:
        for symbol in symbols:
            subscribers = self._subscribers.get(symbol)
            if subscribers is not None:
                subscribers.discard(client)
                if not subscribers:
                    del self._subscribers[symbol]

    def tape_again(self) -> None:
        """Has everything that is not published yet prepared anew: what is to be published has changed."""
        self._due.clear()
        self._taped_through_ms.clear()
        self._retold_since_ms = dict.fromkeys(self._subscribers, self._published_ms + 1)
        self._new_subscription.set()

    async def run(self) -> None:
        """Publishes until it is cancelled."""
        async with asyncio.TaskGroup() as tasks:
            tasks.create_task(self._tape_ahead())
            tasks.create_task(self._publish())

    async def close(self) -> None:
        """Says goodbye to every client."""
        await asyncio.gather(*(client.socket.close(code=WSCloseCode.GOING_AWAY) for client in list(self.clients)))

    async def _tape_ahead(self) -> None:
        """Prepares the current minute and, shortly before it begins, the next one."""
        while True:
            self._new_subscription.clear()
            for symbol in list(self._subscribers):
                now_ms = self.clock_ms()
                # What was traded before the subscription is history; what is told anew may have been due since.
                since_ms = self._retold_since_ms.pop(symbol, now_ms - TOGETHER_MS)
                before_ms, first_ms = ((at_ms // MINUTE_MS) * MINUTE_MS for at_ms in (since_ms - MINUTE_MS, now_ms))
                for minute_ms in (before_ms, *range(first_ms, now_ms + self.lead_ms + 1, MINUTE_MS)):
                    self._tape(symbol, minute_ms, since_ms)
                await asyncio.sleep(0)
            now_ms = self.clock_ms()
            wait_ms = MINUTE_MS - (now_ms + self.lead_ms) % MINUTE_MS
            await self._wait(self._new_subscription, wait_ms)

    def _tape(self, symbol: str, minute_ms: int, since_ms: int) -> None:
        if self._taped_through_ms.get(symbol, -1) >= minute_ms:
            return
        self._taped_through_ms[symbol] = minute_ms
        instrument = self.market.instrument(symbol, minute_ms)
        for due_ms, frame in self.frames(instrument, minute_ms, self.ticks_per_second):
            if due_ms >= since_ms:
                self._pushed += 1
                heapq.heappush(self._due, (due_ms, self._pushed, symbol, frame))
        self._new_tape.set()

    async def _publish(self) -> None:
        while True:
            self._new_tape.clear()
            now_ms = self.clock_ms()
            while self._due and self._due[0][0] <= now_ms:
                due_ms, _, symbol, frame = heapq.heappop(self._due)
                self._published_ms = max(self._published_ms, due_ms)
                subscribers = self._subscribers.get(symbol)
                if subscribers and due_ms >= now_ms - STALE_MS * self.speed:
                    await self._send(frame, subscribers)
            wait_ms = max(self._due[0][0] - self.clock_ms(), TOGETHER_MS) if self._due else MINUTE_MS
            if wait_ms <= TOGETHER_MS:
                await asyncio.sleep(wait_ms / 1000 / self.speed)
                continue
            await self._wait(self._new_tape, wait_ms)

    async def _wait(self, event: asyncio.Event, longest_ms: float) -> None:
        """Until the event, or until so much of the exchange's time has passed."""
        with suppress(TimeoutError):
            await asyncio.wait_for(event.wait(), longest_ms / 1000 / self.speed)

    async def _send(self, frame: Frame, subscribers: set[Client]) -> None:
        for client in list(subscribers):
            if client.transport.get_write_buffer_size() > MAX_WAITING_BYTES:
                log.warning("a client does not read its feed: dropped")
                client.transport.abort()
                self.detach(client)
                continue
            try:
                await client.send(frame)
            except (ConnectionError, RuntimeError):
                self.detach(client)
                continue
            metrics.TICKS.inc()
