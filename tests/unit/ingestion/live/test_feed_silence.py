"""A feed that says nothing: when that is a fault, and when it is none."""

import asyncio
import time

import pytest
from websockets.asyncio.server import ServerConnection

from tests.unit.ingestion.live.feed_server import Watched, against

pytestmark = [pytest.mark.unit, pytest.mark.slow, pytest.mark.usefixtures("quick_feed")]


def test_a_feed_that_is_silent_while_an_exchange_is_open_is_left() -> None:
    async def handler(socket: ServerConnection) -> None:
        await socket.recv()
        await socket.send("the last word")
        await socket.wait_closed()

    async def scenario(port: int) -> None:
        watched = Watched(port, silence_timeout_s=0.3)
        await watched.until(lambda: len(watched.lost) == 1)
        [(reason, proven_ms)] = watched.lost
        # What the pongs proved is not believed any more: the hole begins with the last frame.
        assert reason == "silent"
        assert proven_ms - watched.connected[0] < 250

    against(handler, scenario)


def test_silence_is_golden_while_all_exchanges_are_closed() -> None:
    async def handler(socket: ServerConnection) -> None:
        await socket.recv()
        await socket.wait_closed()

    async def scenario(port: int) -> None:
        watched = Watched(port, silence_timeout_s=0.1, expects_data=lambda _ms: False)
        started_s = time.monotonic()
        await watched.until(lambda: time.monotonic() - started_s > 1.0)
        assert watched.lost == []

    against(handler, scenario)


def test_a_peer_that_answers_no_ping_is_dead() -> None:
    async def handler(socket: ServerConnection) -> None:
        await socket.recv()
        socket.transport.pause_reading()
        await asyncio.sleep(5)

    async def scenario(port: int) -> None:
        watched = Watched(port)
        await watched.until(lambda: len(watched.lost) == 1)
        assert watched.lost[0][0] == "dead"

    against(handler, scenario)


def test_a_quiet_feed_is_proven_by_its_pongs() -> None:
    async def handler(socket: ServerConnection) -> None:
        await socket.recv()
        await socket.wait_closed()

    async def scenario(port: int) -> None:
        watched = Watched(port)

        def is_proven() -> bool:
            link = watched.feed.link
            return link is not None and link.proven_ms - link.since_ms > 500

        await watched.until(is_proven)
        assert watched.lost == []

    against(handler, scenario)
