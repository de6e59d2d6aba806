"""Yahoo's endpoints, as far as yfinance asks for them."""

import asyncio
import time
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import orjson
import structlog
from aiohttp import WSMsgType, web
from aiohttp.typedefs import Handler, Middleware

from simulator import metrics, quotes
from simulator.chart import chart_answer, error_body
from simulator.feed import Client, Feed
from simulator.intervals import ChartError
from simulator.market import Market

log = structlog.get_logger()

STREAMER_HOST = "streamer.finance.yahoo.com"
COOKIE = "A3=simulated; Max-Age=31536000; Domain=.yahoo.com; Path=/; SameSite=None; Secure; HttpOnly"
CRUMB = "simulated.Exc"
CONSENT_PAGE = """<html><body><form method="post" action="https://consent.yahoo.com/v2/collectConsent?sessionId=simulated">
<input type="hidden" name="csrfToken" value="simulated"><input type="hidden" name="sessionId" value="simulated">
</form></body></html>"""


class Endpoints:
    """The handlers. Answers are computed in one worker thread, so that a long history does not hold up the live feed."""

    def __init__(self, market: Market, feed: Feed, clock_ms: Callable[[], int]) -> None:
        self.market = market
        self.feed = feed
        self.clock_ms = clock_ms
        self.worker = ThreadPoolExecutor(max_workers=1, thread_name_prefix="charts")

    async def root(self, request: web.Request) -> web.StreamResponse:
        """Every host has a `/`: the streamer's is the WebSocket, all others give the cookie."""
        if request.host.partition(":")[0] == STREAMER_HOST:
            return await self.stream(request)
        return web.Response(status=404, text="simulated exchange\n", headers={"Set-Cookie": COOKIE})

    async def crumb(self, _: web.Request) -> web.Response:
        return web.Response(text=CRUMB)

    async def consent(self, _: web.Request) -> web.Response:
        return web.Response(text=CONSENT_PAGE, content_type="text/html", headers={"Set-Cookie": COOKIE})

    async def chart(self, request: web.Request) -> web.Response:
        symbol, query = request.match_info["symbol"].upper(), dict(request.query)
        return await self._answer(lambda now_ms: chart_answer(self.market, symbol, query, now_ms), "chart")

    async def quote_summary(self, request: web.Request) -> web.Response:
        symbol, modules = request.match_info["symbol"].upper(), request.query.get("modules", "").split(",")
        return await self._answer(
            lambda now_ms: quotes.summary_answer(self.market, symbol, modules, now_ms), "quoteSummary"
        )

    async def quote(self, request: web.Request) -> web.Response:
        symbols = [symbol for symbol in request.query.get("symbols", "").upper().split(",") if symbol]
        return await self._answer(lambda now_ms: quotes.quote_answer(self.market, symbols, now_ms), "quoteResponse")

    async def search(self, request: web.Request) -> web.Response:
        text, count = request.query.get("q", ""), request.query.get("quotesCount", "8")
        limit = int(count) if count.isdigit() else 8
        return await self._answer(lambda _: quotes.search_answer(self.market, text, limit), "finance")

    async def timeseries(self, request: web.Request) -> web.Response:
        """Fundamentals are not simulated: an empty series, as Yahoo has for an index."""
        symbol = request.match_info["symbol"].upper()
        result = [
            {"meta": {"symbol": [symbol], "type": [kind]}}
            for kind in request.query.get("type", "shares_out").split(",")
        ]
        return json_response({"timeseries": {"result": result, "error": None}})

    async def stream(self, request: web.Request) -> web.StreamResponse:
        """The WebSocket: `{"subscribe": [...]}` and `{"unsubscribe": [...]}` come in, updates go out."""
        socket = web.WebSocketResponse(compress=False, heartbeat=30.0, timeout=1.0, max_msg_size=1 << 20)
        if not socket.can_prepare(request):
            return web.Response(status=400, text="this host speaks WebSocket\n")
        await socket.prepare(request)
        if request.transport is None:
            return socket
        client = Client(socket, request.transport)
        self.feed.attach(client)
        try:
            async for message in socket:
                if message.type is WSMsgType.TEXT:
                    self._obey(client, message.data)
        finally:
            self.feed.detach(client)
        return socket

    def _obey(self, client: Client, text: str) -> None:
        try:
            wish = orjson.loads(text)
        except orjson.JSONDecodeError:
            log.info("a client sent a frame that is not JSON", frame=text[:200])
            return
        if not isinstance(wish, dict):
            return
        for name, act in (("subscribe", self.feed.subscribe), ("unsubscribe", self.feed.unsubscribe)):
            symbols = wish.get(name)
            if isinstance(symbols, list):
                act(client, [symbol.upper() for symbol in symbols if isinstance(symbol, str)])

    async def _answer(self, compute: Callable[[int], Any], part: str) -> web.Response:
        now_ms = self.clock_ms()

        def work() -> bytes:
            return orjson.dumps(compute(now_ms), option=orjson.OPT_SERIALIZE_NUMPY)

        try:
            body = await asyncio.get_running_loop().run_in_executor(self.worker, work)
        except ChartError as error:
            return json_response(error_body(error, part), error.status)
        return web.Response(body=body, content_type="application/json", charset="utf-8")


def json_response(body: Any, status: int = 200) -> web.Response:
    return web.Response(body=orjson.dumps(body), status=status, content_type="application/json", charset="utf-8")


@web.middleware
async def counted(request: web.Request, handler: Handler) -> web.StreamResponse:
    """Every request passes here first, and is counted and timed."""
    route = request.match_info.route.resource
    endpoint = route.canonical if route is not None else "unknown"
    begun = time.monotonic()
    status = 500
    try:
        response = await handler(request)
        status = response.status
    except web.HTTPException as error:
        status = error.status
        raise
    finally:
        metrics.REQUESTS.labels(endpoint, status).inc()
        metrics.REQUEST_SECONDS.labels(endpoint).observe(time.monotonic() - begun)
    return response


def exchange_app(endpoints: Endpoints, middlewares: Sequence[Middleware] = ()) -> web.Application:
    """What is behind TLS, for all of Yahoo's hosts. `middlewares` stand between the count and the handlers."""
    app = web.Application(middlewares=[counted, *middlewares])
    app.router.add_get("/", endpoints.root)
    app.router.add_get("/v1/test/getcrumb", endpoints.crumb)
    app.router.add_get("/consent", endpoints.consent)
    app.router.add_get("/copyConsent", endpoints.consent)
    app.router.add_post("/v2/collectConsent", endpoints.consent)
    app.router.add_get("/v8/finance/chart/{symbol}", endpoints.chart)
    app.router.add_get("/v10/finance/quoteSummary/{symbol}", endpoints.quote_summary)
    app.router.add_get("/v7/finance/quote", endpoints.quote)
    app.router.add_get("/v1/finance/search", endpoints.search)
    app.router.add_get("/ws/fundamentals-timeseries/v1/finance/timeseries/{symbol}", endpoints.timeseries)
    return app


def plain_app(describe: Callable[[], dict[str, Any]]) -> web.Application:
    """What the port answers without TLS: the health check."""

    async def health(_: web.Request) -> web.Response:
        return json_response(describe())

    app = web.Application()
    app.router.add_get("/health", health)
    return app
