"""The live feed: who is subscribed to what, and updates sent when they are due."""

import asyncio
import heapq
from collections import defaultdict
from collections.abc import Callable, Iterable

import structlog
from aiohttp import web

from simulator import metrics
from simulator.market import Market
from simulator.sessions import MINUTE_MS
from simulator.tape import minute_tape
from simulator.wire import Tick, encode

log = structlog.get_logger()

# Updates that fall due within this time go out together; below what a reader can see, and cheaper than one wake-up each.
TOGETHER_MS = 10
# A client that does not read is dropped when so many bytes wait for it: live data are worthless late.
MAX_WAITING_BYTES = 4 << 20


class Feed:
    """Publishes the tape of every subscribed symbol. One task (`run`) serves all sockets."""

    def __init__(self, market: Market, ticks_per_second: float, clock_ms: Callable[[], int]) -> None:
        self.market = market
        self.ticks_per_second = ticks_per_second
        self.clock_ms = clock_ms
        self._sockets: dict[str, set[web.WebSocketResponse]] = defaultdict(set)
        self._due: list[tuple[int, int, Tick]] = []
        self._taped_through: dict[str, int] = {}
        self._order = 0
        self._wake = asyncio.Event()

    def subscribe(self, socket: web.WebSocketResponse, symbols: Iterable[str]) -> None:
        """Adds symbols to a socket; those that are not listed are ignored, as Yahoo does."""
        for symbol in symbols:
            if symbol in self.market.listings:
                self._sockets[symbol].add(socket)
        self._wake.set()

    def unsubscribe(self, socket: web.WebSocketResponse, symbols: Iterable[str]) -> None:
        for symbol in symbols:
            sockets = self._sockets.get(symbol)
            if sockets is not None:
                sockets.discard(socket)
                if not sockets:
                    del self._sockets[symbol]

    def drop(self, socket: web.WebSocketResponse) -> None:
        """Forgets a socket that is gone."""
        self.unsubscribe(socket, list(self._sockets))

    async def run(self) -> None:
        """Publishes until it is cancelled."""
        while True:
            self._wake.clear()
            now_ms = self.clock_ms()
            for symbol in list(self._sockets):
                self._tape(symbol, now_ms)
                await asyncio.sleep(0)
            await self._publish(self.clock_ms())
            next_minute_ms = (self.clock_ms() // MINUTE_MS + 1) * MINUTE_MS
            next_ms = min(self._due[0][0] + TOGETHER_MS, next_minute_ms) if self._due else next_minute_ms
            await self._pause(max(next_ms - self.clock_ms(), TOGETHER_MS))

    async def _pause(self, ms: int) -> None:
        try:
            await asyncio.wait_for(self._wake.wait(), ms / 1000)
        except TimeoutError:
            return

    def _tape(self, symbol: str, now_ms: int) -> None:
        """Puts the current minute of a symbol on the schedule, once."""
        minute_ms = now_ms // MINUTE_MS * MINUTE_MS
        if self._taped_through.get(symbol) == minute_ms:
            return
        self._taped_through[symbol] = minute_ms
        instrument = self.market.instrument(symbol, now_ms)
        for due_ms, tick in minute_tape(instrument, minute_ms, self.ticks_per_second):
            # What was traded before the subscription is history.
            if due_ms >= now_ms - TOGETHER_MS:
                self._order += 1
                heapq.heappush(self._due, (due_ms, self._order, tick))

    async def _publish(self, now_ms: int) -> None:
        while self._due and self._due[0][0] <= now_ms:
            _, _, tick = heapq.heappop(self._due)
            sockets = self._sockets.get(tick.symbol)
            if not sockets:
                self._taped_through.pop(tick.symbol, None)
                continue
            text = encode(tick)
            for socket in list(sockets):
                await self._send(socket, text)

    async def _send(self, socket: web.WebSocketResponse, text: str) -> None:
        if socket.closed:
            self.drop(socket)
            return
        transport = socket._req.transport if socket._req is not None else None  # noqa: SLF001 - aiohttp has no other way to it
        if transport is not None and transport.get_write_buffer_size() > MAX_WAITING_BYTES:
            log.warning("a client does not read its feed: dropped")
            transport.abort()
            self.drop(socket)
            return
        try:
            await socket.send_str(text)
        except (ConnectionError, RuntimeError):
            self.drop(socket)
            return
        metrics.TICKS.inc()
