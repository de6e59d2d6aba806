"""The process, wired from top to bottom."""

import asyncio
import signal
import time
from contextlib import suppress
from datetime import UTC, datetime
from typing import Any

import structlog
from aiohttp import web
from prometheus_client import start_http_server

from simulator.app import Endpoints, exchange_app, plain_app
from simulator.certificates import ensure_certificates, server_context
from simulator.feed import Feed
from simulator.listings import read_listings
from simulator.market import Market
from simulator.proxy import FrontDoor
from simulator.settings import Settings
from simulator.splits import read_splits

log = structlog.get_logger()

METRICS_HOST = "127.0.0.1"
GRACE_S = 2.0


def wall_clock_ms() -> int:
    return time.time_ns() // 1_000_000


async def serve(settings: Settings) -> None:
    """Runs until SIGTERM or SIGINT."""
    stop = asyncio.Event()
    loop = asyncio.get_running_loop()
    for number in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(number, stop.set)

    files = ensure_certificates(settings.home / "simulator", datetime.now(UTC))
    tls = server_context(files)
    market = Market(settings.seed, read_listings(), read_splits(), settings.hours)
    market.warm_up(wall_clock_ms())
    feed = Feed(market, settings.ticks_per_second, wall_clock_ms)
    endpoints = Endpoints(market, feed, wall_clock_ms)

    def describe() -> dict[str, Any]:
        return {
            "status": "ok",
            "listings": len(market.listings),
            "hours": market.hours,
            "seed": market.seed,
            "ca": str(files.ca.resolve()),
        }

    runners = [
        web.AppRunner(app, access_log=None, shutdown_timeout=GRACE_S)
        for app in (exchange_app(endpoints), plain_app(describe))
    ]
    for runner in runners:
        await runner.setup()
    exchange, plain = (runner.server for runner in runners)
    handshakes: set[asyncio.Task[None]] = set()
    front = await loop.create_server(lambda: FrontDoor(exchange, plain, tls, handshakes), settings.host, settings.port)
    if settings.metrics_port is not None:
        start_http_server(settings.metrics_port, METRICS_HOST)
    publishing = loop.create_task(feed.run())
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
