"""The exchange's own time."""

import asyncio

import pytest

from simulator.clock import exchange_clock
from simulator.feed import Feed
from simulator.market import Market
from tests.unit.simulator.conftest import ms
from tests.unit.simulator.test_feed import client


def test_the_clock_is_the_machines_unless_told_otherwise():
    def now_ms() -> int:
        return 1_000

    assert exchange_clock(None, 1.0, now_ms) is now_ms


def test_a_clock_may_begin_elsewhere_and_go_faster():
    machine_ms = [5_000]
    clock = exchange_clock(1_000_000, 60.0, lambda: machine_ms[0])
    assert clock() == 1_000_000
    machine_ms[0] += 1_500
    assert clock() == 1_000_000 + 90_000


@pytest.mark.slow
def test_a_fast_exchange_publishes_its_minutes_in_seconds(exchanges: Market):
    """From a quarter past twelve in New York, at sixty seconds a second."""
    begins_ms = ms("2026-03-11T12:15:00-04:00")
    exchanges.instrument("NVDA", begins_ms).minutes(exchanges.instrument("NVDA", begins_ms).row_at(begins_ms))
    listens = client()

    async def run() -> int:
        loop = asyncio.get_running_loop()
        clock = exchange_clock(begins_ms, 60.0, lambda: int(loop.time() * 1000))
        feed = Feed(exchanges, 0.5, clock, speed=60.0)
        feed.attach(listens)
        feed.subscribe(listens, ["NVDA"])
        running = asyncio.create_task(feed.run())
        await asyncio.sleep(1.0)
        passed_ms = clock() - begins_ms
        running.cancel()
        await asyncio.wait([running])
        return passed_ms

    passed_ms = asyncio.run(run())
    # About one update in two seconds of the exchange's; a busy machine may drop some that are stale.
    assert len(listens.socket.sent) > passed_ms / 2_000 * 0.5
