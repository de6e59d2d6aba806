"""A WebSocket server on this machine, and the supervisor that listens to it, with what it reported."""

import asyncio
import json
import random
import time
from collections.abc import Awaitable, Callable, Iterable
from typing import Any, ClassVar

from websockets.asyncio.server import Server, ServerConnection, serve

from ingestion.live.feed import Feed
from ingestion.providers.base import MalformedFrame, Quote, Reach

Handler = Callable[[ServerConnection], Awaitable[None]]


class Provider:
    """The feed's part of a provider: a frame is the price."""

    title = "Test"
    reach: ClassVar[dict[str, Reach]] = {}

    def __init__(self, port: int) -> None:
        self.feed_url = f"ws://127.0.0.1:{port}/"

    def subscribe(self, symbols: Iterable[str]) -> str:
        return json.dumps({"subscribe": sorted(symbols)})

    def unsubscribe(self, symbols: Iterable[str]) -> str:
        return json.dumps({"unsubscribe": sorted(symbols)})

    def decode(self, frame: str | bytes) -> Quote | None:
        raise MalformedFrame


class Watched:
    """A feed with what it reported, run for as long as a test needs."""

    def __init__(self, port: int, **options: Any) -> None:
        self.symbols = frozenset({"A", "B"})
        self.frames: list[str | bytes] = []
        self.lost: list[tuple[str, int]] = []
        self.connected: list[int] = []
        self.feed = Feed(
            Provider(port),  # type: ignore[arg-type]
            lambda: self.symbols,
            options.get("expects_data", lambda _ms: True),
            options.get("on_frame", self.keep),
            lambda reason, _sentence, proven_ms: self.lost.append((reason, proven_ms)),
            self.connected.append,
            options.get("silence_timeout_s", 60.0),
            lambda: time.time_ns() // 1_000_000,
            random.Random(1),
        )

    async def keep(self, frame: str | bytes, _received_ms: int) -> None:
        self.frames.append(frame)

    async def until(self, condition: Callable[[], bool], limit_s: float = 10.0) -> None:
        task = asyncio.create_task(self.feed.run())
        try:
            async with asyncio.timeout(limit_s):
                while not condition():
                    await asyncio.sleep(0.01)
        finally:
            task.cancel()
            await asyncio.gather(task, return_exceptions=True)


async def serving(handler: Handler) -> tuple[Server, int]:
    server = await serve(handler, "127.0.0.1", 0, close_timeout=0.2)
    return server, next(iter(server.sockets)).getsockname()[1]


def against(handler: Handler, scenario: Callable[[int], Awaitable[None]]) -> None:
    async def run() -> None:
        server, port = await serving(handler)
        try:
            await scenario(port)
        finally:
            server.close()

    asyncio.run(run())
