"""Where faults take hold of HTTP: a middleware around every handler of the exchange."""

from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal

from aiohttp import web
from aiohttp.typedefs import Handler, Middleware

from simulator import metrics
from simulator.faults.base import Fault, Scheduled
from simulator.market import Market

if TYPE_CHECKING:
    from simulator.faults.schedule import Schedule

Endpoint = Literal["chart", "summary", "quote", "search", "timeseries", "crumb", "consent", "cookie", "stream"]
Proceed = Callable[[], Awaitable[web.StreamResponse]]

STREAMER = "streamer."
# What asks for data; the others are on the way to it.
DATA: tuple[Endpoint, ...] = ("chart", "summary", "quote", "search", "timeseries")
PATHS: tuple[tuple[str, Endpoint], ...] = (
    ("/v8/finance/chart/", "chart"),
    ("/v10/finance/quoteSummary/", "summary"),
    ("/v7/finance/quote", "quote"),
    ("/v1/finance/search", "search"),
    ("/ws/fundamentals-timeseries/", "timeseries"),
    ("/v1/test/getcrumb", "crumb"),
)


@dataclass(frozen=True, slots=True)
class Call:
    """A request that a fault has hit; `proceed` is the ordinary way to its answer, `is_on` whether the fault still lasts."""

    request: web.Request
    endpoint: Endpoint
    now_ms: int
    market: Market
    scheduled: Scheduled["HttpFault"]
    proceed: Proceed
    is_on: Callable[[], bool]


class HttpFault(Fault):
    """A fault of answers over HTTP."""

    endpoints: tuple[Endpoint, ...] = ("chart",)

    async def answer(self, call: Call) -> web.StreamResponse:
        raise NotImplementedError


def endpoint_of(request: web.Request) -> Endpoint:
    for path, endpoint in PATHS:
        if request.path.startswith(path):
            return endpoint
    if request.path != "/":
        return "consent"
    return "stream" if request.host.startswith(STREAMER) else "cookie"


def symbols_of(request: web.Request) -> tuple[str, ...]:
    """The symbols that a request is about; none where it is about no instrument."""
    named = request.match_info.get("symbol")
    return (named.upper(),) if named else tuple(request.query.get("symbols", "").upper().split(","))


def injected(schedule: "Schedule", market: Market, clock_ms: Callable[[], int]) -> Middleware:
    """The middleware. Of several faults that hit a request, the one that was scheduled first has the last word."""

    @web.middleware
    async def inject(request: web.Request, handler: Handler) -> web.StreamResponse:
        now_ms = clock_ms()
        endpoint, symbols = endpoint_of(request), symbols_of(request)

        def is_hit(scheduled: Scheduled[HttpFault]) -> bool:
            is_meant = endpoint in scheduled.fault.endpoints and scheduled.concerns(*symbols)
            return is_meant and scheduled.hits(symbols[0], now_ms)

        async def ordinarily() -> web.StreamResponse:
            return await handler(request)

        def around(scheduled: Scheduled[HttpFault], proceed: Proceed) -> Proceed:
            def is_on() -> bool:
                return schedule.is_on(scheduled.name, clock_ms())

            async def disturbed() -> web.StreamResponse:
                metrics.FAULTS.labels(scheduled.fault.kind).inc()
                return await scheduled.fault.answer(Call(request, endpoint, now_ms, market, scheduled, proceed, is_on))

            return disturbed

        proceed: Proceed = ordinarily
        for scheduled in reversed(schedule.reaching(HttpFault, now_ms)):
            if is_hit(scheduled):
                proceed = around(scheduled, proceed)
        return await proceed()

    return inject
