"""Every fault of the exchange against the unmodified yfinance and against ingestion's own requesting code and live feed.

They take seconds each, because time-outs do, and so they are not among the unit tests. The class of an error is ingestion's
(`ingestion/errors.py`); each test also looks that the next answer is whole once the fault is over.
"""

from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest

from tests.stream.faulty_exchange import INGESTION, YFINANCE, Client, FaultyExchange, LiveClient, running_exchange
from tests.stream.rig import until
from tests.unit.simulator.yfinance_client import assert_whole, what_yfinance_finds

pytestmark = pytest.mark.stream


@pytest.fixture(scope="module")
def exchange() -> Iterator[FaultyExchange]:
    # These tests ask faster than anything in the platform may.
    with running_exchange("--ticks-per-second", "10", "--requests-per-minute", "6000") as exchange:
        yield exchange


@pytest.fixture(scope="module")
def ingestion(exchange: FaultyExchange) -> Iterator[Client]:
    with exchange.client(INGESTION) as client:
        yield client


@pytest.fixture(scope="module")
def yfinance(exchange: FaultyExchange) -> Iterator[Client]:
    with exchange.client(YFINANCE) as client:
        yield client


@pytest.fixture
def live(exchange: FaultyExchange) -> Iterator[LiveClient]:
    with exchange.live_client() as client:
        client.until("connected")
        client.counts_more("quotes")
        yield client


def rows_of_today() -> int:
    """The least that a whole answer has: the minutes of the day, around the clock, but for the one that only begins."""
    now = datetime.now(UTC)
    return max(1, now.hour * 60 + now.minute)


REFUSALS: list[tuple[str, dict[str, Any], str]] = [
    ("throttle", {}, "Throttled"),
    ("throttle", {"retry_after_s": 40}, "Throttled"),
    ("bad_crumb", {"renewable": False}, "Unauthorised"),
    ("server_error", {"status": 500}, "Unavailable"),
    ("server_error", {"status": 503, "body": "json"}, "Unavailable"),
    ("server_error", {"status": 502, "body": "empty"}, "Unavailable"),
    ("cut", {}, "Unavailable"),
    ("truncated", {"framing": "broken"}, "Unavailable"),
    ("html", {}, "Malformed"),
    ("truncated", {}, "Malformed"),
    ("null", {"shape": "body"}, "Malformed"),
    ("null", {"shape": "result"}, "Malformed"),
    ("null", {"shape": "rows"}, "Malformed"),
    ("short_arrays", {}, "Malformed"),
    ("short_arrays", {"columns": ["volume"]}, "Malformed"),
    ("wrong_time_zone", {"zone": "Mars/Base"}, "Malformed"),
]


@pytest.mark.parametrize("knows_zone", [False, True])
@pytest.mark.parametrize(("kind", "parameters", "error"), REFUSALS)
def test_ingestion_names_what_went_wrong_and_recovers(
    exchange: FaultyExchange, ingestion: Client, kind: str, parameters: dict[str, Any], error: str, knows_zone: bool
):
    with exchange.wrong(kind, **parameters):
        found = ingestion.ask(knows_zone=knows_zone)
    assert found["error"] == error, found
    assert found["next_try_s"] == parameters.get("retry_after_s", found["next_try_s"])
    least = rows_of_today()
    after = ingestion.ask(knows_zone=knows_zone)
    assert after["error"] is None
    assert len(after["rows"]) >= least


@pytest.mark.parametrize(("kind", "parameters"), [("hang", {}), ("slow_drip", {"bytes_per_s": 200})])
def test_ingestion_hangs_no_longer_than_its_time_out(
    exchange: FaultyExchange, ingestion: Client, kind: str, parameters: dict[str, Any]
):
    with exchange.wrong(kind, **parameters):
        found = ingestion.ask()
    assert found["error"] == "Unavailable"
    assert 9 < found["seconds"] < 12
    assert ingestion.ask()["error"] is None


@pytest.mark.parametrize(
    ("kind", "parameters"),
    [
        ("bad_crumb", {}),
        ("throttle", {"endpoints": ["crumb"]}),
        ("server_error", {"endpoints": ["crumb"]}),
        ("html", {"endpoints": ["crumb"]}),
    ],
)
def test_trouble_with_the_crumb_alone_stops_nobody(
    exchange: FaultyExchange, ingestion: Client, yfinance: Client, kind: str, parameters: dict[str, Any]
):
    least = rows_of_today()
    with exchange.wrong(kind, **parameters):
        assert len(ingestion.ask()["rows"]) >= least
        assert yfinance.ask()["rows"] >= least


def test_the_exchange_keeps_a_budget_and_ingestion_hears_of_it(exchange: FaultyExchange, ingestion: Client):
    with exchange.wrong("request_budget", per_minute=2):
        found = [ingestion.ask(knows_zone=True)["error"] for _ in range(4)]
    assert found[-1] == "Throttled"
    assert ingestion.ask(knows_zone=True)["error"] is None


@pytest.mark.timeout(600)
def test_minutes_that_are_missing_or_wrong_are_so_in_ingestion_and_then_right(
    exchange: FaultyExchange, ingestion: Client
):
    # Just after midnight a day has none that are some minutes old.
    rows = until(lambda: (found := ingestion.ask(knows_zone=True)["rows"])[8:] and found, "some minutes of today", 540)
    whole = {ts: (close, volume) for ts, close, volume in rows}
    settled = sorted(whole)[-60:-5]
    since = f"{(settled[-1] - settled[0]) // 60_000 + 1}m"
    at = _iso(settled[0])
    with exchange.wrong("missing_minutes", at=at, **{"for": since}, restored_after="1h"):
        missing = {row[0] for row in ingestion.ask(knows_zone=True)["rows"]}
    assert not missing & set(settled)
    with exchange.wrong("corrected_bars", at=at, **{"for": since}, after="2h"):
        wrong = {ts: (close, volume) for ts, close, volume in ingestion.ask(knows_zone=True)["rows"]}
    assert all(wrong[ts] != whole[ts] for ts in settled)
    right = {ts: (close, volume) for ts, close, volume in ingestion.ask(knows_zone=True)["rows"]}
    assert all(right[ts] == whole[ts] for ts in settled)


@pytest.mark.parametrize(
    ("kind", "parameters", "said"),
    [
        ("throttle", {}, "YFRateLimitError"),
        ("short_arrays", {}, "ValueError"),
        ("wrong_time_zone", {"zone": "Mars/Base"}, "UnknownTimeZoneError"),
        # An empty frame and no word: why ingestion looks at the answers itself.
        ("bad_crumb", {"renewable": False}, None),
        ("server_error", {}, None),
        ("html", {}, None),
        ("cut", {}, None),
        ("truncated", {}, None),
        ("null", {"shape": "body"}, None),
    ],
)
def test_what_the_unmodified_yfinance_makes_of_a_fault(
    exchange: FaultyExchange, yfinance: Client, kind: str, parameters: dict[str, Any], said: str | None
):
    with exchange.wrong(kind, **parameters):
        found = yfinance.ask()
    assert found["error"] == said, found
    assert found.get("rows", 0) == 0
    least = rows_of_today()
    assert yfinance.ask()["rows"] >= least


def test_the_unmodified_yfinance_may_take_rows_without_a_price_for_rows(exchange: FaultyExchange, yfinance: Client):
    """Now it stumbles over them, now it does not: why ingestion looks at the answers itself."""
    with exchange.wrong("null", shape="rows"):
        found = yfinance.ask()
    assert found["error"] == "TypeError" or found["rows"] >= 1, found


def test_yfinance_finds_everything_over_requests_too(exchange: FaultyExchange, tmp_path: Path):
    """What it falls back to where curl_cffi is not there; the unit tests have the default."""
    found = what_yfinance_finds(exchange.environment() | {"YF_DISABLE_CURL_CFFI": "1"}, tmp_path)
    assert_whole(found)
    assert (found["unknown"], found["sync"], {tick["id"] for tick in found["ticks"]}) == (0, "BTC-USD", {"NVDA"})


@pytest.mark.parametrize(
    ("kind", "parameters", "reason"),
    [("feed_close", {}, "closed"), ("feed_close", {"code": 1011}, "closed"), ("feed_abort", {}, "aborted")],
)
def test_a_connection_that_ends_is_made_again_within_five_seconds(
    exchange: FaultyExchange, live: LiveClient, kind: str, parameters: dict[str, Any], reason: str
):
    with exchange.wrong(kind, **parameters):
        lost = live.until("lost")
        again = live.until("connected")
    assert lost["reason"] == reason
    assert again["at"] - lost["at"] < 5
    live.counts_more("quotes")


def test_a_peer_that_ends_every_connection_costs_little(exchange: FaultyExchange, live: LiveClient):
    with exchange.wrong("feed_close", **{"for": "1h"}):
        first = live.until("lost")
        while (later := live.until("count"))["at"] - first["at"] < 6:
            pass
    assert (later["cpu_s"] - first["cpu_s"]) / (later["at"] - first["at"]) < 0.05
    live.until("connected")


def test_silence_is_noticed_and_the_feed_made_anew(exchange: FaultyExchange, live: LiveClient):
    with exchange.wrong("feed_silence"):
        assert live.until("lost")["reason"] == "silent"
    live.until("connected")
    live.counts_more("quotes")


def test_a_dead_connection_is_noticed_without_a_word_from_it(exchange: FaultyExchange, live: LiveClient):
    with exchange.wrong("feed_silence", answers_pings=False):
        assert live.until("lost")["reason"] in ("dead", "silent")
    live.until("connected")
    live.counts_more("quotes")


def test_garbage_is_counted_and_quotes_go_on(exchange: FaultyExchange, live: LiveClient):
    with exchange.wrong("feed_garbage", share=0.5):
        live.counts_more("malformed")
        live.counts_more("quotes")


@pytest.mark.parametrize("kind", ["throttle", "server_error", "hang"])
def test_a_streamer_that_refuses_is_tried_again(exchange: FaultyExchange, live: LiveClient, kind: str):
    with exchange.wrong(kind, endpoints=["stream"]), exchange.wrong("feed_abort"):
        assert live.until("lost")["reason"] == "aborted"
        assert live.until("lost")["reason"] == "unreachable"
    live.until("connected")
    live.counts_more("quotes")


def _iso(ms: int) -> str:
    return datetime.fromtimestamp(ms / 1000, UTC).isoformat()
