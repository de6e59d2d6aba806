"""The process, wired from top to bottom."""

import asyncio
import signal
import time
from collections.abc import Coroutine
from contextlib import suppress
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, cast

import structlog
from aiohttp import web
from prometheus_client import start_http_server

from market.timeline import Timeline
from simulator.app import Endpoints, exchange_app, plain_app
from simulator.certificates import ensure_certificates, server_context
from simulator.clock import exchange_clock, wall_clock_ms
from simulator.faults.admin import add_admin
from simulator.faults.base import Fault
from simulator.faults.budget import limited
from simulator.faults.market import ScriptedMarket
from simulator.faults.requests import injected
from simulator.faults.scenario import read_scenario
from simulator.faults.schedule import Schedule
from simulator.faults.sockets import Disturber
from simulator.faults.tape import faulty_frames
from simulator.faults.when import iso
from simulator.feed import Feed
from simulator.listings import read_listings
from simulator.proxy import FrontDoor
from simulator.settings import Settings
from simulator.splits import read_splits

log = structlog.get_logger()

METRICS_HOST = "127.0.0.1"
GRACE_S = 2.0


async def serve(settings: Settings) -> None:
    """Runs until SIGTERM or SIGINT."""
    stop = asyncio.Event()
    loop = asyncio.get_running_loop()
    for number in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(number, stop.set)

    files = ensure_certificates(settings.home / "simulator", datetime.now(UTC))
    tls = server_context(files)
    starts_ms = None if settings.starts_at is None else int(settings.starts_at.timestamp() * 1000)
    clock_ms, speed = exchange_clock(starts_ms, settings.speed, wall_clock_ms), settings.speed
    if settings.timeline is not None:
        timeline = Timeline.parse(settings.timeline)
        clock_ms, speed = (lambda: timeline.at(wall_clock_ms())), timeline.speed
    schedule = open_schedule(settings, files.ca.with_name("faults.json"), clock_ms())
    market = ScriptedMarket(settings.seed, read_listings(), read_splits(), settings.hours, schedule)
    market.warm_up(clock_ms())
    feed = Feed(market, settings.ticks_per_second, clock_ms, faulty_frames(schedule), speed)
    schedule.listeners.append(feed.tape_again)
    disturber = Disturber(schedule, feed, clock_ms, speed)
    endpoints = Endpoints(market, feed, clock_ms)
    limit = limited(schedule, clock_ms, time.monotonic, settings.requests_per_minute)
    exchange_side = exchange_app(endpoints, [limit, injected(schedule, market, clock_ms)])

    def describe() -> dict[str, Any]:
        return {
            "status": "ok",
            "listings": len(market.listings),
            "hours": market.hours,
            "seed": market.seed,
            "ca": str(files.ca.resolve()),
            "exchange_time": iso(clock_ms()),
            "faults": sum(scheduled.covers(clock_ms()) for scheduled in schedule.of(Fault)),
        }

    plain_side = plain_app(describe)
    add_admin(plain_side, schedule, clock_ms)
    runners = [web.AppRunner(app, access_log=None, shutdown_timeout=GRACE_S) for app in (exchange_side, plain_side)]
    for runner in runners:
        await runner.setup()
    exchange, plain = (cast("web.Server", runner.server) for runner in runners)
    handshakes: set[asyncio.Task[None]] = set()
    front = await loop.create_server(lambda: FrontDoor(exchange, plain, tls, handshakes), settings.host, settings.port)
    if settings.metrics_port is not None:
        start_http_server(settings.metrics_port, METRICS_HOST)
    publishing = loop.create_task(run_together(feed.run(), disturber.run()))
    log.info(
        "serving",
        port=settings.port,
        hours=settings.hours,
        seed=settings.seed,
        listings=len(market.listings),
        ca=str(files.ca),
    )

    stopping = loop.create_task(stop.wait())
    await asyncio.wait({stopping, publishing}, return_when=asyncio.FIRST_COMPLETED)
    if publishing.done():
        publishing.result()
    log.info("stopping")
    publishing.cancel()
    with suppress(asyncio.CancelledError):
        await publishing
    front.close()
    for handshake in handshakes:
        handshake.cancel()
    await feed.close()
    for runner in runners:
        await runner.cleanup()
    endpoints.worker.shutdown(cancel_futures=True)
    log.info("stopped")


async def run_together(*works: Coroutine[Any, Any, None]) -> None:
    """Until one fails, or all are cancelled."""
    async with asyncio.TaskGroup() as tasks:
        for work in works:
            tasks.create_task(work)


def open_schedule(settings: Settings, stored_in: Path, now_ms: int) -> Schedule:
    """The faults of the scenario that was given, from the beginning; without one, those that were on at the last stop.

    Raises `BadScenario`, `OSError`.
    """
    if settings.scenario is None:
        return Schedule(stored_in)
    scenario = read_scenario(settings.scenario)
    schedule = Schedule()
    schedule.add(scenario.faults, scenario.start_ms(now_ms))
    return schedule
