"""A market in which a test writes what goes wrong, and the exchange's HTTP side in front of it. The clock stands still."""

from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from typing import Any

import orjson
import pytest
from aiohttp.test_utils import TestClient, TestServer

from simulator.app import Endpoints, exchange_app
from simulator.faults.base import Fault
from simulator.faults.budget import limited
from simulator.faults.kinds import read_fault
from simulator.faults.market import ScriptedMarket
from simulator.faults.requests import injected
from simulator.faults.schedule import Schedule
from simulator.faults.tape import faulty_frames
from simulator.feed import Feed
from simulator.listings import read_listings
from simulator.splits import read_splits
from tests.unit.simulator.conftest import SEED, ms

NOON_MS = ms("2026-03-11T12:00:00-04:00")
CHART = "/v8/finance/chart/AAPL"


@dataclass
class Exchange:
    """An exchange at its own hours. `now_ms` is what its clock shows."""

    now_ms: int = NOON_MS
    hours: str = "XNYS"
    schedule: Schedule = field(default_factory=Schedule)

    def __post_init__(self) -> None:
        self.market = ScriptedMarket(SEED, read_listings(), read_splits(), self.hours, self.schedule)
        self.frames = faulty_frames(self.schedule)
        self.feed = Feed(self.market, 2.0, lambda: self.now_ms, self.frames)

    def goes_wrong(self, kind: str, **parameters: Any) -> None:
        """Schedules a fault; a moment without one is now."""
        parameters = {name.rstrip("_"): value for name, value in parameters.items()}
        self.schedule.add([read_fault({"kind": kind, **parameters})], self.now_ms)

    @asynccontextmanager
    async def client(self, per_minute: int = 600) -> AsyncIterator[TestClient[Any, Any]]:
        endpoints = Endpoints(self.market, self.feed, lambda: self.now_ms)
        limit = limited(self.schedule, lambda: self.now_ms, lambda: self.now_ms / 1000, per_minute)
        app = exchange_app(endpoints, [limit, injected(self.schedule, self.market, lambda: self.now_ms)])
        async with TestClient(TestServer(app)) as client:
            yield client
        endpoints.worker.shutdown()

    async def chart(self, symbol: str = "AAPL", **query: Any) -> dict[str, Any]:
        """The result of a chart that was answered well."""
        asked = {name: str(value) for name, value in {"range": "1d", "interval": "1m", **query}.items()}
        async with self.client() as client:
            answer = await client.get(f"/v8/finance/chart/{symbol}", params=asked)
            assert answer.status == 200, await answer.text()
            return orjson.loads(await answer.read())["chart"]["result"][0]

    def frames_of(self, symbol: str, minute_ms: int) -> list[tuple[int, str | bytes]]:
        return self.frames(self.market.instrument(symbol, minute_ms), minute_ms, 2.0)


@pytest.fixture
def exchange() -> Exchange:
    return Exchange()


@pytest.fixture
def fault() -> Callable[..., Fault]:
    return lambda kind, **parameters: read_fault({"kind": kind, **parameters})
