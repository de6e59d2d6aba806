"""The feed against clients that are stand-ins for a socket and its transport."""

import asyncio
import base64
import json
from dataclasses import dataclass, field
from typing import Any

import pytest

from simulator.feed import MAX_WAITING_BYTES, Client, Feed
from simulator.market import Market
from simulator.wire import PricingData
from tests.unit.simulator.conftest import ms

pytestmark = pytest.mark.slow

NOW_MS = ms("2026-03-11T15:41:27+00:00")


@dataclass
class Socket:
    sent: list[str] = field(default_factory=list)

    async def send_str(self, text: str) -> None:
        self.sent.append(text)


@dataclass
class Transport:
    waiting_bytes: int = 0
    aborted: bool = False

    def set_write_buffer_limits(self, high: int) -> None:
        assert high > MAX_WAITING_BYTES

    def get_write_buffer_size(self) -> int:
        return self.waiting_bytes

    def abort(self) -> None:
        self.aborted = True


class Clock:
    """Goes at the wall's pace from a time of its own."""

    def __init__(self, begins_ms: int) -> None:
        self.begins_ms = begins_ms
        self.begun_s = asyncio.get_running_loop().time()

    def __call__(self) -> int:
        return self.begins_ms + int((asyncio.get_running_loop().time() - self.begun_s) * 1000)


async def run_feed(market: Market, clients: dict[Any, list[str]], begins_ms: int = NOW_MS, ticks: int = 3) -> Feed:
    """A feed that runs until the first client has so many ticks."""
    feed = Feed(market, 50.0, Clock(begins_ms))
    for client, symbols in clients.items():
        feed.attach(client)
        feed.subscribe(client, symbols)
    running = asyncio.create_task(feed.run())
    async with asyncio.timeout(20):
        while len(next(iter(clients)).socket.sent) < ticks:
            await asyncio.sleep(0.02)
    running.cancel()
    await asyncio.wait([running])
    return feed


def decoded(text: str) -> Any:
    return PricingData.FromString(base64.b64decode(json.loads(text)["message"]))


def client(waiting_bytes: int = 0) -> Any:
    return Client(Socket(), Transport(waiting_bytes))  # type: ignore[arg-type]


def test_every_subscriber_gets_the_same_ticks_and_nobody_gets_others(market: Market):
    first, second, other = client(), client(), client()
    asyncio.run(run_feed(market, {first: ["NVDA", "BTC-USD"], second: ["BTC-USD", "NVDA", "NOPE"], other: ["NOPE"]}))
    assert first.socket.sent == second.socket.sent
    assert other.socket.sent == []


def test_a_client_that_does_not_read_is_dropped_and_the_others_go_on(market: Market):
    reads, stuck = client(), client(waiting_bytes=MAX_WAITING_BYTES + 1)
    feed = asyncio.run(run_feed(market, {reads: ["NVDA", "BTC-USD"], stuck: ["NVDA", "BTC-USD"]}))
    assert stuck.transport.aborted
    assert stuck.socket.sent == []
    assert feed.clients == {reads}


def test_the_feed_goes_on_over_the_end_of_a_minute_without_repeating_itself(market: Market):
    listens = client()
    next_minute_ms = NOW_MS // 60_000 * 60_000 + 60_000
    asyncio.run(run_feed(market, {listens: ["NVDA", "BTC-USD"]}, begins_ms=next_minute_ms - 400, ticks=10))
    times_ms = [decoded(text).time for text in listens.socket.sent]
    assert min(times_ms) < next_minute_ms < max(times_ms)
    assert len(set(listens.socket.sent)) == len(listens.socket.sent)
