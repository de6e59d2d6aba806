"""Connections of the feed under faults: a real WebSocket over a real feed, on this machine."""

import asyncio
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

import aiohttp
import pytest
from aiohttp import WSMsgType
from aiohttp.test_utils import TestClient, TestServer

from simulator.app import Endpoints, exchange_app
from simulator.clock import exchange_clock, wall_clock_ms
from simulator.faults.kinds import read_fault
from simulator.faults.market import ScriptedMarket
from simulator.faults.schedule import Schedule
from simulator.faults.sockets import Disturber
from simulator.faults.tape import faulty_frames
from simulator.feed import Feed
from tests.unit.simulator.conftest import SEED, ms

pytestmark = pytest.mark.slow

STREAM = {"Host": "streamer.finance.yahoo.com"}


class Live:
    """A feed that runs, from 12:00:05 in New York; `goes_wrong` takes effect at once."""

    def __init__(self, market: Any) -> None:
        self.clock_ms = exchange_clock(ms("2026-03-11T12:00:05-04:00"), 1.0, wall_clock_ms)
        self.schedule = Schedule()
        scripted = ScriptedMarket(SEED, market.listings, market.splits, "24/7", self.schedule)
        self.feed = Feed(scripted, 20.0, self.clock_ms, faulty_frames(self.schedule))
        self.schedule.listeners.append(self.feed.tape_again)
        self.disturber = Disturber(self.schedule, self.feed, self.clock_ms, 1.0)

    def goes_wrong(self, kind: str, **parameters: Any) -> None:
        fault = {"kind": kind, **{name.rstrip("_"): value for name, value in parameters.items()}}
        self.schedule.add([read_fault(fault)], self.clock_ms())

    @asynccontextmanager
    async def client(self) -> AsyncIterator[TestClient[Any, Any]]:
        endpoints = Endpoints(self.feed.market, self.feed, self.clock_ms)
        running = [asyncio.create_task(self.feed.run()), asyncio.create_task(self.disturber.run())]
        async with TestClient(TestServer(exchange_app(endpoints))) as client:
            yield client
        for task in running:
            task.cancel()
        await asyncio.wait(running)
        endpoints.worker.shutdown()


@pytest.fixture
def live(market: Any) -> Live:
    return Live(market)


@asynccontextmanager
async def subscribed(client: TestClient[Any, Any]) -> AsyncIterator[aiohttp.ClientWebSocketResponse]:
    async with client.ws_connect("/", headers=STREAM, autoping=False) as socket:
        await socket.send_str(
            '{"subscribe": ["NVDA", "BTC-USD", "ETH-USD", "^GSPC", "^IXIC", "EURUSD=X", "JPY=X", "SPY"]}'
        )
        await asyncio.wait_for(socket.receive(), 5)
        yield socket


async def end_of(socket: aiohttp.ClientWebSocketResponse) -> aiohttp.WSMessage:
    """The first message that is no frame of the feed."""
    while True:
        message = await asyncio.wait_for(socket.receive(), 5)
        if message.type not in (WSMsgType.TEXT, WSMsgType.BINARY):
            return message


async def frames_within(socket: aiohttp.ClientWebSocketResponse, seconds: float) -> list[aiohttp.WSMessage]:
    ends_s, found = time.monotonic() + seconds, []
    while (left_s := ends_s - time.monotonic()) > 0:
        try:
            found.append(await asyncio.wait_for(socket.receive(), left_s))
        except TimeoutError:
            break
    return found


def test_a_connection_is_closed_cleanly_and_the_next_one_lives(live: Live):
    async def run() -> tuple[int | None, int]:
        async with live.client() as client:
            async with subscribed(client) as socket:
                live.goes_wrong("feed_close", code=1001, for_="200ms")
                code = (await end_of(socket)).data
            await asyncio.sleep(0.25)
            async with subscribed(client) as socket:
                return code, len(await frames_within(socket, 0.3))

    code, frames = asyncio.run(run())
    assert code == 1001
    assert frames > 0


def test_a_connection_is_aborted_without_a_word(live: Live):
    async def run() -> int | None:
        async with live.client() as client, subscribed(client) as socket:
            live.goes_wrong("feed_abort")
            await end_of(socket)
            return socket.close_code

    assert asyncio.run(run()) in (1006, None)


def test_connections_may_live_for_a_while_each(live: Live):
    async def run() -> list[float]:
        live.goes_wrong("feed_abort", after="200ms", for_="10s")
        lives = []
        async with live.client() as client:
            for _ in range(2):
                begun_s = time.monotonic()
                async with subscribed(client) as socket:
                    await end_of(socket)
                lives.append(time.monotonic() - begun_s)
        return lives

    assert all(0.15 < life < 5.0 for life in asyncio.run(run()))


def test_a_silent_feed_still_answers_pings(live: Live):
    async def run() -> tuple[list[aiohttp.WSMessage], WSMsgType]:
        async with live.client() as client, subscribed(client) as socket:
            live.goes_wrong("feed_silence")
            # On a busy machine a frame from before may still be on its way: what comes within this time tells nothing.
            while await frames_within(socket, 0.2):
                pass
            silent = await frames_within(socket, 0.2)
            await socket.ping()
            return silent, (await socket.receive(10.0)).type

    assert asyncio.run(run()) == ([], WSMsgType.PONG)


def test_a_dead_feed_answers_nothing_until_it_is_alive_again(live: Live):
    async def run() -> tuple[list[aiohttp.WSMessage], set[WSMsgType]]:
        async with live.client() as client, subscribed(client) as socket:
            live.goes_wrong("feed_silence", answers_pings=False)
            await frames_within(socket, 0.2)
            await socket.ping()
            dead = await frames_within(socket, 0.3)
            live.schedule.end_all(live.clock_ms())
            return dead, {message.type for message in await frames_within(socket, 0.4)}

    dead, alive = asyncio.run(run())
    assert dead == []
    assert alive == {WSMsgType.PONG, WSMsgType.TEXT}


def test_a_switch_takes_hold_of_what_was_prepared_already_and_loses_nothing(live: Live):
    """A minute's frames are prepared when it begins; garbage that is switched on and off within it comes and goes."""

    async def run() -> list[str]:
        async with live.client() as client, subscribed(client) as socket:
            found = await frames_within(socket, 0.3)
            live.goes_wrong("feed_garbage", share=1.0, forms=["list"])
            found += await frames_within(socket, 0.4)
            live.schedule.end_all(live.clock_ms())
            found += await frames_within(socket, 0.3)
            return [message.data for message in found]

    said = asyncio.run(run())
    garbage = [place for place, frame in enumerate(said) if frame == "[1, 2, null]"]
    assert garbage
    assert 0 < garbage[0] < garbage[-1] < len(said) - 1
    ticks = [frame for frame in said if frame != "[1, 2, null]"]
    assert len(set(ticks)) == len(ticks)
