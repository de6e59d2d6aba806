"""Switching faults at run time: HTTP on the exchange's own port, for this machine alone."""

from collections.abc import Callable
from ipaddress import ip_address
from typing import Any

import orjson
from aiohttp import web
from aiohttp.typedefs import Handler
from pydantic import ValidationError

from simulator.faults.kinds import described, read_fault
from simulator.faults.scenario import BadScenario, first_of, scenario_of
from simulator.faults.schedule import Schedule, UnknownFault
from simulator.faults.when import iso

LOCAL_NAMES = ("127.0.0.1", "localhost", "[::1]")


def add_admin(app: web.Application, schedule: Schedule, clock_ms: Callable[[], int]) -> None:
    """`/faults` in an application: GET lists, POST adds one, DELETE ends all or the named one; `/scenario` takes a whole one."""
    admin = web.Application(middlewares=[local_only])
    handlers = Admin(schedule, clock_ms)
    admin.router.add_get("/faults", handlers.listed)
    admin.router.add_post("/faults", handlers.add)
    admin.router.add_delete("/faults", handlers.end_all)
    admin.router.add_delete("/faults/{name}", handlers.end)
    admin.router.add_get("/kinds", handlers.kinds)
    admin.router.add_post("/scenario", handlers.load)
    app.add_subapp("/admin", admin)


@web.middleware
async def local_only(request: web.Request, handler: Handler) -> web.StreamResponse:
    """Refuses other machines, and web pages: no page can make a browser send JSON here, or call this host by its address."""
    remote = request.remote or ""
    is_local = bool(remote) and ip_address(remote).is_loopback
    if not is_local or request.host.rpartition(":")[0] not in LOCAL_NAMES or "Origin" in request.headers:
        return answer({"error": "faults are switched from this machine only"}, 403)
    if request.method == "POST" and request.content_type != "application/json":
        return answer({"error": "the body has to be application/json"}, 415)
    return await handler(request)


class Admin:
    """The handlers; each answers with all faults as they are now."""

    def __init__(self, schedule: Schedule, clock_ms: Callable[[], int]) -> None:
        self.schedule = schedule
        self.clock_ms = clock_ms

    async def kinds(self, _: web.Request) -> web.Response:
        return answer(described())

    async def listed(self, _: web.Request) -> web.Response:
        return self._all()

    async def add(self, request: web.Request) -> web.Response:
        try:
            fault = read_fault(orjson.loads(await request.read()))
        except ValidationError as error:
            return answer({"error": first_of(error)}, 400)
        except ValueError as error:
            return answer({"error": f"not JSON: {error}"}, 400)
        self.schedule.add([fault], self.clock_ms())
        return self._all()

    async def load(self, request: web.Request) -> web.Response:
        try:
            scenario = scenario_of(orjson.loads(await request.read()))
        except BadScenario as error:
            return answer({"error": str(error)}, 400)
        except ValueError as error:
            return answer({"error": f"not JSON: {error}"}, 400)
        self.schedule.add(scenario.faults, scenario.start_ms(self.clock_ms()))
        return self._all()

    async def end(self, request: web.Request) -> web.Response:
        try:
            self.schedule.end(request.match_info["name"], self.clock_ms())
        except UnknownFault:
            return answer({"error": f"no fault is called {request.match_info['name']}"}, 404)
        return self._all()

    async def end_all(self, _: web.Request) -> web.Response:
        self.schedule.end_all(self.clock_ms())
        return self._all()

    def _all(self) -> web.Response:
        now_ms = self.clock_ms()
        return answer({"exchange_time": iso(now_ms), "faults": self.schedule.listed(now_ms)})


def answer(body: Any, status: int = 200) -> web.Response:
    return web.Response(body=orjson.dumps(body), status=status, content_type="application/json")
