"""The supervisor against a real WebSocket server on this machine that closes, aborts and talks nonsense."""

import asyncio
import json
import time

import pytest
from websockets.asyncio.server import ServerConnection

from ingestion.live import feed as feed_module
from ingestion.live.feed import FeedLost
from tests.unit.ingestion.live.feed_server import Watched, against

pytestmark = [pytest.mark.unit, pytest.mark.slow, pytest.mark.usefixtures("quick_feed")]


def test_it_subscribes_and_hands_on_frames_in_order() -> None:
    asked: list[str] = []

    async def handler(socket: ServerConnection) -> None:
        asked.append(str(await socket.recv()))
        for number in range(100):
            await socket.send(str(number))
        await socket.wait_closed()

    async def scenario(port: int) -> None:
        watched = Watched(port)
        await watched.until(lambda: len(watched.frames) == 100)
        assert watched.frames == [str(number) for number in range(100)]

    against(handler, scenario)
    assert json.loads(asked[0]) == {"subscribe": ["A", "B"]}


@pytest.mark.parametrize(("how", "reason"), [("close", "closed"), ("abort", "aborted")])
def test_after_a_close_or_an_abort_it_connects_again_and_says_since_when_it_was_deaf(how: str, reason: str) -> None:
    async def handler(socket: ServerConnection) -> None:
        await socket.recv()
        await socket.send("frame")
        await asyncio.sleep(0.1)
        if how == "close":
            await socket.close()
        else:
            socket.transport.abort()

    async def scenario(port: int) -> None:
        watched = Watched(port)
        await watched.until(lambda: len(watched.connected) == 3)
        assert {name for name, _ in watched.lost} == {reason}
        for (_, proven_ms), before, after in zip(watched.lost, watched.connected, watched.connected[1:], strict=False):
            assert before <= proven_ms <= after

    against(handler, scenario)


def test_a_server_that_hangs_up_at_once_is_not_asked_again_and_again() -> None:
    connections = 0

    async def handler(socket: ServerConnection) -> None:
        nonlocal connections
        connections += 1
        await socket.close()

    async def scenario(port: int) -> None:
        watched = Watched(port)
        started_s, cpu_s = time.monotonic(), time.process_time()
        await watched.until(lambda: time.monotonic() - started_s > 2.0)
        assert 2 <= connections <= 5
        assert time.process_time() - cpu_s < 0.5

    against(handler, scenario)


def test_a_server_that_gives_data_and_hangs_up_is_asked_again_soon_however_often(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    # Without the limit the eighth pause alone would be 32 s.
    monkeypatch.setattr(feed_module, "LONGEST_AFTER_DATA_S", 0.05)

    async def handler(socket: ServerConnection) -> None:
        await socket.recv()
        await socket.send("1")
        await asyncio.sleep(0.05)
        socket.transport.abort()

    async def scenario(port: int) -> None:
        watched = Watched(port)
        await watched.until(lambda: len(watched.connected) == 9, limit_s=20.0)

    against(handler, scenario)


@pytest.mark.parametrize(("had_data", "longest_s"), [(True, 4.0), (False, 20.0)])
def test_the_next_try_comes_within_five_seconds_after_data_and_ever_later_where_there_was_none(
    monkeypatch: pytest.MonkeyPatch, had_data: bool, longest_s: float
) -> None:
    pauses: list[float] = []

    async def sleep(seconds: float) -> None:
        pauses.append(seconds)
        if len(pauses) == 60:
            raise asyncio.CancelledError

    watched = Watched(1)

    async def connection() -> FeedLost:
        watched.feed._had_data = had_data
        return FeedLost("aborted", "the feed's connection was aborted")

    monkeypatch.setattr(watched.feed, "_connection", connection)
    monkeypatch.setattr(feed_module.asyncio, "sleep", sleep)
    with pytest.raises(asyncio.CancelledError):
        asyncio.run(watched.feed.run())
    assert max(pauses[:2]) <= 1.0
    assert longest_s / 2 < max(pauses) <= longest_s


def test_nobody_there_is_said_and_tried_again() -> None:
    async def scenario() -> None:
        watched = Watched(1)
        await watched.until(lambda: len(watched.lost) >= 2)
        assert watched.lost[0] == ("unreachable", 0)
        assert "cannot be reached" in watched.feed.state
        assert "next try in" in watched.feed.state

    asyncio.run(scenario())


def test_symbols_that_come_and_go_are_subscribed_and_unsubscribed() -> None:
    asked: list[dict[str, list[str]]] = []

    async def handler(socket: ServerConnection) -> None:
        async for message in socket:
            asked.append(json.loads(message))

    async def scenario(port: int) -> None:
        watched = Watched(port)

        def change() -> bool:
            if len(asked) == 1:
                watched.symbols = frozenset({"B", "C"})
            return len(asked) == 3

        await watched.until(change)

    against(handler, scenario)
    assert asked == [{"subscribe": ["A", "B"]}, {"unsubscribe": ["A"]}, {"subscribe": ["B", "C"]}]


def test_the_subscription_is_repeated(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(feed_module, "RESUBSCRIBE_S", 0.1)
    asked: list[str] = []

    async def handler(socket: ServerConnection) -> None:
        async for message in socket:
            asked.append(str(message))

    async def scenario(port: int) -> None:
        watched = Watched(port)
        await watched.until(lambda: len(asked) >= 4)

    against(handler, scenario)
    assert len(set(asked)) == 1


def test_without_symbols_nobody_is_called() -> None:
    async def handler(socket: ServerConnection) -> None:
        await socket.wait_closed()

    async def scenario(port: int) -> None:
        watched = Watched(port)
        watched.symbols = frozenset()
        started_s = time.monotonic()
        await watched.until(lambda: time.monotonic() - started_s > 0.5)
        assert watched.connected == []
        assert watched.feed.state == "waiting for symbols"

    against(handler, scenario)


def test_while_frames_wait_for_the_broker_nothing_is_proven_and_nothing_is_lost() -> None:
    released = asyncio.Event()
    seen: list[str | bytes] = []

    async def wait(frame: str | bytes, _received_ms: int) -> None:
        await released.wait()
        seen.append(frame)

    async def handler(socket: ServerConnection) -> None:
        await socket.recv()
        for number in range(500):
            await socket.send(str(number))
        await socket.wait_closed()

    async def scenario(port: int) -> None:
        # Longer than the time-out of a ping: a socket that is not read answers none, and is alive.
        watched = Watched(port, on_frame=wait, silence_timeout_s=0.2)
        started_s = time.monotonic()

        def enough() -> bool:
            link = watched.feed.link
            if time.monotonic() - started_s < 1.0:
                assert link is None or link.proven_ms - link.since_ms < 100
            else:
                released.set()
            return len(seen) == 500

        await watched.until(enough)
        assert watched.lost == []
        assert seen == [str(number) for number in range(500)]

    against(handler, scenario)
