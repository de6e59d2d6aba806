"""What a client is answered under each fault of HTTP, without TLS and proxy in between."""

import asyncio
from typing import Any

import aiohttp
import orjson
import pytest

from tests.unit.simulator.conftest import ms
from tests.unit.simulator.faults.conftest import CHART, NOON_MS, Exchange

pytestmark = pytest.mark.slow

QUERY = {"range": "1d", "interval": "1m", "crumb": "simulated.Exc"}


async def answered(exchange: Exchange, path: str = CHART, **query: str) -> tuple[int, Any, bytes]:
    async with exchange.client() as client:
        answer = await client.get(path, params=QUERY | query)
        return answer.status, answer.headers, await answer.read()


def ask(exchange: Exchange, path: str = CHART, **query: str) -> tuple[int, Any, bytes]:
    return asyncio.run(answered(exchange, path, **query))


@pytest.mark.parametrize(
    ("parameters", "header"),
    [
        ({}, None),
        ({"retry_after_s": 30}, "30"),
        ({"retry_after_s": 30, "as_date": True}, "Wed, 11 Mar 2026 16:00:30 GMT"),
    ],
)
def test_throttled_requests_are_told_when_to_come_again_or_not(
    exchange: Exchange, parameters: dict[str, Any], header: str | None
):
    exchange.goes_wrong("throttle", **parameters)
    status, headers, _ = ask(exchange)
    assert (status, headers.get("Retry-After")) == (429, header)


def test_a_crumb_is_refused_until_it_is_renewed(exchange: Exchange):
    exchange.goes_wrong("bad_crumb")
    status, _, body = ask(exchange)
    assert (status, orjson.loads(body)["finance"]["error"]["description"]) == (401, "Invalid Crumb")
    _, _, crumb = ask(exchange, "/v1/test/getcrumb")
    assert ask(exchange, crumb=crumb.decode())[0] == 200
    exchange.goes_wrong("bad_crumb", renewable=False)
    exchange.schedule.end("bad_crumb", exchange.now_ms + 1)
    exchange.now_ms += 2
    assert ask(exchange, crumb=ask(exchange, "/v1/test/getcrumb")[2].decode())[0] == 401


@pytest.mark.parametrize(("status", "body"), [(500, "html"), (502, "empty"), (503, "json")])
def test_servers_fail_with_a_page_with_json_or_with_nothing(exchange: Exchange, status: int, body: str):
    exchange.goes_wrong("server_error", status=status, body=body)
    got, headers, content = ask(exchange)
    assert got == status
    assert {"html": b"<html" in content, "json": b'"error"' in content, "empty": content == b""}[body]
    assert {"html": "text/html", "json": "application/json"}.get(body, "") in headers.get("Content-Type", "")


def test_a_page_may_come_with_status_200(exchange: Exchange):
    exchange.goes_wrong("html")
    status, headers, body = ask(exchange)
    assert (status, headers["Content-Type"].partition(";")[0]) == (200, "text/html")
    assert body.startswith(b"<!DOCTYPE html>")


def test_a_cut_connection_gives_no_answer(exchange: Exchange):
    exchange.goes_wrong("cut")
    with pytest.raises(aiohttp.ClientConnectionError):
        ask(exchange)


def test_a_request_hangs_until_the_fault_is_switched_off(exchange: Exchange):
    exchange.goes_wrong("hang")

    async def hang() -> bool:
        async with exchange.client() as client:
            asked = asyncio.create_task(client.get(CHART, params=QUERY))
            hung = not (await asyncio.wait([asked], timeout=0.3))[0]
            exchange.now_ms += 1
            exchange.schedule.end("hang", exchange.now_ms)
            with pytest.raises(aiohttp.ClientConnectionError):
                await asked
            return hung

    assert asyncio.run(hang())


def test_a_drip_gives_the_whole_answer_bit_by_bit(exchange: Exchange):
    whole = ask(exchange, interval="1d")[2]
    exchange.goes_wrong("slow_drip", bytes_per_s=5_000)
    begun_s = asyncio.new_event_loop().time()
    dripped = ask(exchange, interval="1d")[2]
    assert dripped == whole
    assert asyncio.new_event_loop().time() - begun_s > 0.8 * len(whole) / 5_000


def test_an_answer_breaks_off_in_the_middle(exchange: Exchange):
    whole = ask(exchange)[2]
    exchange.goes_wrong("truncated", keep=0.25)
    status, _, body = ask(exchange)
    assert (status, body) == (200, whole[: len(whole) // 4])
    exchange.schedule.end_all(exchange.now_ms + 1)
    exchange.now_ms += 2
    exchange.goes_wrong("truncated", framing="broken")
    with pytest.raises(aiohttp.ClientPayloadError):
        ask(exchange)


def test_bodies_are_null_in_four_ways(exchange: Exchange):
    found = {}
    for shape in ("body", "result", "rows", "empty"):
        exchange.goes_wrong("null", shape=shape, name=shape)
        found[shape] = orjson.loads(ask(exchange)[2])
        exchange.now_ms += 1
        exchange.schedule.end(shape, exchange.now_ms)
    assert found["body"] is None
    assert found["result"] == {"chart": {"result": None, "error": None}}
    (rows,) = found["rows"]["chart"]["result"]
    assert set(map(tuple, rows["indicators"]["quote"][0].values())) == {(None,) * len(rows["timestamp"])}
    (empty,) = found["empty"]["chart"]["result"]
    assert "timestamp" not in empty
    assert empty["indicators"] == {"quote": [{}]}


def test_arrays_are_shorter_than_their_stamps(exchange: Exchange):
    exchange.goes_wrong("short_arrays", missing=3, columns=["close", "volume"])
    result = asyncio.run(exchange.chart())
    quote, count = result["indicators"]["quote"][0], len(result["timestamp"])
    assert {name: count - len(values) for name, values in quote.items()} == {
        "open": 0,
        "high": 0,
        "low": 0,
        "close": 3,
        "volume": 3,
    }


@pytest.mark.parametrize(("zone", "offset_s"), [("Asia/Tokyo", 32_400), ("Mars/Base", -14_400)])
def test_an_answer_says_another_time_zone(exchange: Exchange, zone: str, offset_s: int):
    exchange.goes_wrong("wrong_time_zone", zone=zone)
    meta = asyncio.run(exchange.chart())["meta"]
    assert (meta["exchangeTimezoneName"], meta["gmtoffset"]) == (zone, offset_s)


def minutes_of(result: dict[str, Any]) -> dict[int, tuple[float | None, int | None]]:
    quote = result["indicators"]["quote"][0]
    return dict(zip(result["timestamp"], zip(quote["close"], quote["volume"], strict=True), strict=True))


def test_minutes_are_missing_and_come_back(exchange: Exchange):
    """11:00 to 11:05 are left out while the fault lasts and for a minute after it.

        11:00        11:05     11:06
    on    |──────────────|
    away  |────────────────────|
    """
    whole = minutes_of(asyncio.run(exchange.chart(period1=NOON_MS // 1000 - 4_000, period2=NOON_MS // 1000 - 2_000)))
    eleven_ms = ms("2026-03-11T11:00:00-04:00")
    exchange.goes_wrong("missing_minutes", at="2026-03-11T11:00:00-04:00", for_="5m", restored_after="1m")
    missing = {eleven_ms // 1000 + 60 * minute for minute in range(5)}

    def seen_at(text: str) -> set[int]:
        exchange.now_ms = ms(text)
        window = {"period1": NOON_MS // 1000 - 4_000, "period2": NOON_MS // 1000 - 2_000}
        return set(minutes_of(asyncio.run(exchange.chart(**window))))

    assert set(whole) - seen_at("2026-03-11T11:05:59-04:00") >= missing
    assert seen_at("2026-03-11T12:00:00-04:00") == set(whole)


def test_a_bar_is_misprinted_and_put_right(exchange: Exchange):
    exchange.now_ms = ms("2026-03-11T11:03:30-04:00")
    window = {"period1": exchange.now_ms // 1000 - 210, "period2": exchange.now_ms // 1000 - 30}
    exchange.goes_wrong("corrected_bars", at="2026-03-11T11:00:00-04:00", for_="2m", after="5m", close_factor=1.1)
    early = minutes_of(asyncio.run(exchange.chart(**window)))
    exchange.now_ms = ms("2026-03-11T13:00:00-04:00")
    late = minutes_of(asyncio.run(exchange.chart(**window)))
    ratios = [round(early[stamp][0] / late[stamp][0], 2) for stamp in sorted(late)]
    assert ratios == [1.1, 1.1, 1.0]


def test_a_share_of_the_requests_is_hit_and_always_the_same(exchange: Exchange):
    exchange.goes_wrong("server_error", share=0.3, body="empty")

    async def statuses() -> list[int]:
        async with exchange.client() as client:
            found = []
            for step in range(60):
                exchange.now_ms = NOON_MS + step * 1_000
                found.append((await client.get("/v1/finance/search", params={"q": "x"})).status)
            return found

    first, second = asyncio.run(statuses()), asyncio.run(statuses())
    assert first == second
    assert 8 < first.count(503) < 30


def test_only_the_symbols_and_endpoints_that_are_named_suffer(exchange: Exchange):
    exchange.goes_wrong("html", symbols=["MSFT"])
    assert ask(exchange)[2].startswith(b"{")
    assert ask(exchange, "/v8/finance/chart/msft")[2].startswith(b"<")
    assert ask(exchange, "/v7/finance/quote", symbols="MSFT")[2].startswith(b"{")


def test_of_two_faults_the_first_has_the_last_word(exchange: Exchange):
    exchange.goes_wrong("truncated", keep=0.05)
    exchange.goes_wrong("html")
    assert b"<!DOCTYPE html>".startswith(ask(exchange)[2])


REWRITING: list[dict[str, Any]] = [
    {"kind": "null", "shape": "rows"},
    {"kind": "null", "shape": "empty"},
    {"kind": "short_arrays", "missing": 400},
    {"kind": "wrong_time_zone"},
    {"kind": "missing_minutes", "at": "2026-03-11T10:00:00-04:00", "for": "5h"},
    {"kind": "corrected_bars", "at": "2026-03-11T10:00:00-04:00", "for": "5h", "after": "9h"},
    {"kind": "clock_skew", "skew_s": 5},
    {"kind": "early_close", "at": "2026-03-11T15:00:00-04:00"},
    {"kind": "auction_print", "at": "2026-03-09T10:00:00-04:00"},
    {"kind": "split", "at": "2026-03-11T09:30:00-04:00", "lag": "9h"},
    {"kind": "dividend", "at": "2026-03-11T09:30:00-04:00", "amount": 0.5},
    {"kind": "halt", "at": "2026-03-11T10:00:00-04:00"},
]


@pytest.mark.parametrize("second", REWRITING, ids=lambda fault: fault["kind"])
def test_a_fault_bears_what_another_one_has_left_of_an_answer(second: dict[str, Any]):
    for first in REWRITING[:4]:
        exchange = Exchange(now_ms=ms("2026-03-11T18:30:00-04:00"))
        exchange.goes_wrong(**second)
        exchange.goes_wrong(**first)
        result = asyncio.run(exchange.chart(range="2d", includePrePost="true", events="div,splits"))
        assert result["meta"]["symbol"] == "AAPL"


@pytest.mark.parametrize(
    ("second", "left"),
    [
        ({"kind": "html"}, b"<!DOCTYPE html>"),
        ({"kind": "truncated"}, b'{"chart":'),
        ({"kind": "null", "shape": "body"}, b"null"),
        ({"kind": "null", "shape": "result"}, b'{"chart":{"result":null'),
    ],
)
def test_a_fault_leaves_alone_what_another_one_has_made_unreadable(
    exchange: Exchange, second: dict[str, Any], left: bytes
):
    """An auction changes what it can read; over a page or half an answer the exchange itself failed."""
    exchange.goes_wrong("auction_print")
    exchange.goes_wrong(**second)

    async def run() -> tuple[int, bytes]:
        async with exchange.client() as client:
            answer = await client.get(CHART, params={"range": "1d", "interval": "1m"})
            return answer.status, await answer.read()

    status, body = asyncio.run(run())
    assert status == 200
    assert body.startswith(left)


def test_a_skewed_clock_shows_in_the_live_row_and_the_date(exchange: Exchange):
    exchange.now_ms = NOON_MS + 17_000
    straight = asyncio.run(exchange.chart())["timestamp"]
    exchange.goes_wrong("clock_skew", skew_s=-90)
    status, headers, body = ask(exchange)
    stamps = orjson.loads(body)["chart"]["result"][0]["timestamp"]
    assert (stamps[:-1], stamps[-1]) == (straight[:-1], straight[-1] - 90)
    assert (status, headers["Date"]) == (200, "Wed, 11 Mar 2026 15:58:47 GMT")


def test_a_client_that_asks_too_much_is_refused_until_the_bucket_fills(exchange: Exchange):
    """Ten a minute: ten at once, then one every six seconds."""

    async def statuses() -> list[int]:
        found = []
        async with exchange.client(per_minute=10) as client:
            for wait_ms in (*[0] * 11, 5_000, 1_000, 0):
                exchange.now_ms += wait_ms
                found.append((await client.get("/v1/finance/search", params={"q": "x"})).status)
        return found

    assert asyncio.run(statuses()) == [200] * 10 + [429, 429, 200, 429]


def test_the_platforms_own_pace_never_meets_the_default_budget(exchange: Exchange):
    """Sixty at once, and then one a second: what a bucket of 60 a minute lets through at most."""

    async def statuses() -> set[int]:
        found = set()
        async with exchange.client() as client:
            for wait_ms in (*[0] * 60, *[1_000] * 200):
                exchange.now_ms += wait_ms
                found.add((await client.get("/v1/test/getcrumb")).status)
        return found

    assert asyncio.run(statuses()) == {200}


def test_a_scenario_may_lower_the_budget(exchange: Exchange):
    exchange.goes_wrong("request_budget", per_minute=2)

    async def statuses() -> list[int]:
        async with exchange.client() as client:
            return [(await client.get("/v1/test/getcrumb")).status for _ in range(3)]

    assert asyncio.run(statuses()) == [200, 200, 429]
