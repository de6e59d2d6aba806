"""A scenario repeats itself: the same seed, scenario and time give the same bytes, in this process and in any other."""

import asyncio
import hashlib
import json
import subprocess
import sys

import aiohttp
import pytest

from simulator.faults.kinds import described
from simulator.faults.scenario import scenario_of
from simulator.market import Market
from simulator.tape import frames_of_minute
from tests.unit.simulator.conftest import ms
from tests.unit.simulator.faults.conftest import NOON_MS, Exchange

pytestmark = pytest.mark.slow

MORNING_MS = ms("2026-03-11T11:00:00-04:00")
SCENARIO = {
    "starts": "2026-03-11T11:00:00-04:00",
    "fault": [
        {"kind": "halt", "symbols": ["AAPL"], "at": "+10m", "for": "5m"},
        {"kind": "missing_minutes", "share": 0.3, "for": "1h", "restored_after": None},
        {"kind": "corrected_bars", "share": 0.2, "for": "1h", "after": "2h"},
        {"kind": "split", "at": "2026-03-11T00:00:00+00:00", "numerator": 3},
        {"kind": "dividend", "at": "2026-03-10T00:00:00+00:00", "amount": 0.4},
        {"kind": "server_error", "share": 0.4, "for": "1h", "endpoints": ["search"]},
        {"kind": "duplicate_ticks", "share": 0.2},
        {"kind": "out_of_order_ticks"},
        {"kind": "volume_reset", "at": "+40m", "for": "10m"},
        {"kind": "bad_prices", "value": "spike"},
        {"kind": "feed_garbage", "share": 0.3},
        {"kind": "feed_silence", "at": "+50m", "for": "30s"},
    ],
}
# Half of the requests for a symbol of its own each.
ANSWERS = {
    "AAPL": {"kind": "throttle", "retry_after_s": 7, "as_date": True},
    "MSFT": {"kind": "bad_crumb"},
    "AMZN": {"kind": "server_error"},
    "GOOGL": {"kind": "html"},
    "NVDA": {"kind": "cut"},
    "TSLA": {"kind": "truncated"},
    "META": {"kind": "null", "shape": "rows"},
    "IBM": {"kind": "short_arrays"},
    "INTC": {"kind": "wrong_time_zone"},
    "ORCL": {"kind": "clock_skew", "skew_s": 20},
}
# The first two have a test of their own below. The others draw no lots, or change no byte of an answer but when it comes.
ELSEWHERE = {"auction_print", "early_close", "hang", "slow_drip", "request_budget", "feed_close", "feed_abort"}
TRIES = 8
ASK_ELSEWHERE = """
import json, sys
sys.path.insert(0, ".")
from tests.unit.simulator.faults import test_repeats as t
print(json.dumps(t.said()))
"""


def exchange_under(scenario: dict) -> Exchange:
    exchange = Exchange(now_ms=NOON_MS, hours="24/7")
    read = scenario_of(scenario)
    exchange.schedule.add(read.faults, read.start_ms(NOON_MS))
    return exchange


def said() -> dict[str, str]:
    """Hashes of what an exchange answers and publishes under the scenario."""
    exchange = exchange_under(SCENARIO)

    async def bodies() -> dict[str, bytes]:
        found = {}
        async with exchange.client() as client:
            for symbol, interval, days in (("AAPL", "1m", "5d"), ("AAPL", "1d", "1y"), ("MSFT", "5m", "5d")):
                query = {"interval": interval, "range": days, "events": "div,splits"}
                answer = await client.get(f"/v8/finance/chart/{symbol}", params=query)
                found[f"{symbol} {interval}"] = await answer.read()
            for step in range(10):
                exchange.now_ms = NOON_MS - 1_000 - step
                answer = await client.get("/v1/finance/search", params={"q": "apple"})
                found[f"search {step}"] = str(answer.status).encode() + await answer.read()
        return found

    found = asyncio.run(bodies())
    for symbol in ("AAPL", "BTC-USD"):
        for minute_ms in range(MORNING_MS, NOON_MS, 600_000):
            found[f"{symbol} {minute_ms}"] = repr(exchange.frames_of(symbol, minute_ms)).encode()
    found |= answered()
    return {name: hashlib.sha256(body).hexdigest() for name, body in found.items()}


def answered() -> dict[str, bytes]:
    """What half of the requests are answered wrong with, and which half that is."""
    faults = [{**fault, "symbols": [symbol], "share": 0.5} for symbol, fault in ANSWERS.items()]
    exchange = exchange_under({"starts": SCENARIO["starts"], "fault": faults})

    async def ask() -> dict[str, bytes]:
        found = {}
        async with exchange.client() as client:
            for symbol in ANSWERS:
                for step in range(TRIES):
                    exchange.now_ms = NOON_MS + step
                    try:
                        answer = await client.get(
                            f"/v8/finance/chart/{symbol}", params={"interval": "1d", "range": "5d"}
                        )
                        said = f"{answer.status} {answer.headers.get('Retry-After')} ".encode() + await answer.read()
                    except aiohttp.ClientError as error:
                        said = type(error).__name__.encode()
                    found[f"{symbol} {step}"] = said
        return found

    return asyncio.run(ask())


def test_each_kind_that_draws_lots_is_in_what_is_compared():
    compared = {fault["kind"] for fault in (*SCENARIO["fault"], *ANSWERS.values())}
    assert compared | ELSEWHERE == {kind["kind"] for kind in described()}
    found = answered()
    for symbol in ANSWERS:
        # Each was hit, and not always: what is compared has a lot in it.
        assert len({found[f"{symbol} {step}"] for step in range(TRIES)}) > 1, symbol


def test_another_process_says_the_same_to_the_byte():
    """Around the clock, so that no process has to make an exchange's calendar first."""
    ran = subprocess.run([sys.executable, "-c", ASK_ELSEWHERE], capture_output=True, text=True, check=True)
    assert json.loads(ran.stdout) == said()


def test_an_empty_schedule_leaves_every_byte_as_it_is(exchange: Exchange, exchanges: Market):
    frames = frames_of_minute(exchanges.instrument("AAPL", NOON_MS), NOON_MS, 2.0)
    assert exchange.frames_of("AAPL", NOON_MS) == frames


def test_auctions_and_early_closes_repeat_too():
    found = []
    for _ in range(2):
        exchange = Exchange(now_ms=ms("2026-03-11T20:00:00-04:00"))
        exchange.goes_wrong("auction_print", at="2026-03-09T09:30:00-04:00")
        exchange.goes_wrong("early_close", at="2026-03-10T13:00:00-04:00")
        result = asyncio.run(exchange.chart(range="5d"))
        found.append((result, exchange.frames_of("NVDA", ms("2026-03-09T16:00:00-04:00"))))
    assert found[0] == found[1]
