"""The exchange's limit on requests: a bucket for each client, refilled all the time, and 429 when it is empty."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal

from aiohttp import web
from aiohttp.typedefs import Handler, Middleware
from pydantic import Field

from simulator import metrics
from simulator.faults.base import Fault
from simulator.faults.refusals import refused_429
from simulator.faults.requests import endpoint_of

if TYPE_CHECKING:
    from simulator.faults.schedule import Schedule

MINUTE_S = 60.0
# More clients than will ever be; the longest unseen are forgotten first.
MAX_CLIENTS = 1_000


class RequestBudget(Fault):
    """While it is on, a client may make `per_minute` requests a minute instead of the usual number."""

    kind: Literal["request_budget"] = "request_budget"
    per_minute: int = Field(ge=1)


@dataclass(slots=True)
class Bucket:
    tokens: float
    at_s: float


class Budget:
    """Buckets by client address and size, so that the usual one is full again after a smaller one.

    Their time is the machine's own: a fast exchange answers no more requests a minute.
    """

    def __init__(self, clock_s: Callable[[], float]) -> None:
        self._clock_s = clock_s
        self._buckets: dict[tuple[str, int], Bucket] = {}

    def take(self, client: str, per_minute: int) -> bool:
        """Whether the client may make another request; it has then made it."""
        now_s = self._clock_s()
        bucket = self._buckets.pop((client, per_minute), None) or Bucket(float(per_minute), now_s)
        refilled = bucket.tokens + (now_s - bucket.at_s) * per_minute / MINUTE_S
        tokens = min(float(per_minute), refilled)
        allowed = tokens >= 1.0
        self._buckets[client, per_minute] = Bucket(tokens - 1.0 if allowed else tokens, now_s)
        if len(self._buckets) > MAX_CLIENTS:
            del self._buckets[next(iter(self._buckets))]
        return allowed


def limited(
    schedule: "Schedule", clock_ms: Callable[[], int], clock_s: Callable[[], float], per_minute: int
) -> Middleware:
    """The middleware. The feed is not counted; as at Yahoo, the refusal does not say when to come again."""
    budget = Budget(clock_s)

    @web.middleware
    async def limit(request: web.Request, handler: Handler) -> web.StreamResponse:
        if endpoint_of(request) == "stream":
            return await handler(request)
        lowered = [each.fault.per_minute for each in schedule.of(RequestBudget) if each.covers(clock_ms())]
        if not budget.take(request.remote or "", min(lowered, default=per_minute)):
            metrics.OVER_BUDGET.inc()
            return refused_429({})
        return await handler(request)

    return limit
