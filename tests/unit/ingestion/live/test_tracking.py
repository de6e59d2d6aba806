"""What the live service says of its tracked list while the provider is away; the database and the provider are stand-ins."""

import asyncio
import random
from types import SimpleNamespace
from typing import Any

import pytest

from ingestion.errors import Malformed, Throttled, Unauthorised, Unavailable
from ingestion.live.asking import Asking
from ingestion.live.tracking import DRAWN_AT_ONCE, Tracking
from ingestion.providers.base import Answer
from ingestion.records.instruments import Instrument

pytestmark = pytest.mark.unit

NOW_MS = 1_764_000_000_000
PENDING = ("AAPL", None, None, None, None, None, None, None, None, "pending", 0, 0, True)


class Provider:
    title = "Yahoo"

    def __init__(self, error: Exception) -> None:
        self.error = error

    def describe(self, symbol: str) -> None:
        raise self.error


def after_one_try(error: Exception) -> Tracking:
    """The tracking of one symbol that was never described, after the provider answered with `error`."""
    database: Any = SimpleNamespace(run=lambda _sql, _parameters=(): [PENDING])
    stream: Any = SimpleNamespace(instruments={})
    provider: Any = Provider(error)
    asking = Asking(lambda: NOW_MS, random.Random(7))
    tracking = Tracking(database, provider, asking, stream, "yahoo", lambda: NOW_MS)

    async def run() -> None:
        follow = asyncio.create_task(tracking.follow_table())
        describe = asyncio.create_task(tracking.welcome_new())
        async with asyncio.timeout(10):
            while tracking.trouble()[0] is None:
                await asyncio.sleep(0.01)
        for task in (follow, describe):
            task.cancel()
        await asyncio.gather(follow, describe, return_exceptions=True)

    asyncio.run(run())
    return tracking


@pytest.mark.parametrize(
    ("error", "longest_s"),
    [
        (Unavailable("AAPL: could not resolve host"), 5.0),
        (Unauthorised("AAPL: refused with 401"), 5.0),
        (Throttled("throttled", 40.0), 40.0),
        (Malformed("AAPL: HTML in an answer with status 200", b"<html>"), 60.0),
    ],
)
def test_a_provider_that_will_not_answer_is_the_trouble_and_not_an_empty_list(
    error: Exception, longest_s: float
) -> None:
    tracking = after_one_try(error)
    trouble, next_try_s = tracking.trouble()
    assert trouble is error
    assert 0 < next_try_s <= longest_s
    assert (tracking.tracked, tracking.unknown) == (1, 0)


def test_of_a_crowd_of_new_symbols_a_few_are_drawn_at_once_and_the_poll_has_the_others() -> None:
    names = [f"N{number}" for number in range(DRAWN_AT_ONCE + 5)]
    described: list[str] = []
    drawn: list[str] = []

    def describe(symbol: str) -> Instrument:
        described.append(symbol)
        return Instrument(symbol, symbol, "EQUITY", "NMS", "XNYS", "America/New_York", "USD", 2, True)

    def newest(symbol: str, _timeframe: str) -> None:
        drawn.append(symbol)
        raise Malformed(f"{symbol}: nothing to draw", b"")

    database: Any = SimpleNamespace(run=lambda _sql, _parameters=(): [(name, *PENDING[1:]) for name in names])
    stream: Any = SimpleNamespace(instruments={})
    provider: Any = SimpleNamespace(describe=describe, newest=newest)
    asking = Asking(lambda: NOW_MS, random.Random(7))
    tracking = Tracking(database, provider, asking, stream, "yahoo", lambda: NOW_MS)

    async def run() -> None:
        tasks = [asyncio.create_task(work) for work in (tracking.follow_table(), tracking.welcome_new())]
        async with asyncio.timeout(10):
            while len(stream.instruments) < len(names):
                await asyncio.sleep(0.01)
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)

    asyncio.run(run())
    assert described == names
    assert drawn == names[:DRAWN_AT_ONCE]


def test_a_new_symbol_whose_chart_was_not_to_be_had_is_asked_for_again_and_once_it_is_there_no_more(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr("ingestion.live.tracking.TABLE_POLL_S", 0.02)
    # Added by the command line, which described it, while the service ran.
    known = ("BTC-USD", "Bitcoin", "CRYPTOCURRENCY", "CCC", "24/7", "UTC", "USD", 2, True, "ok", 0, 0, False)
    rows: list[tuple[Any, ...]] = []
    asked: list[str] = []

    def newest(symbol: str, _timeframe: str) -> Answer:
        asked.append(symbol)
        if len(asked) == 1:
            raise Unavailable(f"{symbol}: timed out", 0.01)
        return Answer(NOW_MS)

    async def send(_record: object) -> None:
        pass

    database: Any = SimpleNamespace(run=lambda _sql, _parameters=(): list(rows))
    stream: Any = SimpleNamespace(instruments={}, send=send)
    provider: Any = SimpleNamespace(newest=newest)
    tracking = Tracking(database, provider, Asking(lambda: NOW_MS, random.Random(7)), stream, "yahoo", lambda: NOW_MS)

    async def run() -> None:
        tasks = [asyncio.create_task(work) for work in (tracking.follow_table(), tracking.welcome_new())]
        async with asyncio.timeout(10):
            while tracking.tracked is None:
                await asyncio.sleep(0.01)
            rows.append(known)
            while len(asked) < 2:
                await asyncio.sleep(0.01)
            await asyncio.sleep(0.2)
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)

    asyncio.run(run())
    assert asked == ["BTC-USD", "BTC-USD"]
