"""Yahoo behind a company's proxy that ends TLS with an authority of its own.

The simulated exchange is both at once. Neither the choice of the source nor ingestion is told so: they have the user's own
variables alone, and take what answers there for Yahoo.
"""

import os
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import pytest

from market.contracts import Bar, Tick
from tests.embedded import REPO
from tests.stream.faulty_exchange import FaultyExchange
from tests.stream.ingestion.rig import Ingestion
from tests.stream.rig import until

pytestmark = pytest.mark.stream

BUNDLES = ("SSL_CERT_FILE", "CURL_CA_BUNDLE", "REQUESTS_CA_BUNDLE")
DECISION = "from stack.source import decide; print(*decide(None, None), sep=': ')"
REFUSALS: list[tuple[str, dict[str, Any]]] = [
    ("throttle", {}),
    ("bad_crumb", {"renewable": False}),
    ("server_error", {"status": 503}),
]


@pytest.fixture
def company(exchange: dict[str, str]) -> Iterator[FaultyExchange]:
    company = FaultyExchange(
        urlsplit(exchange["CANDLESTREAM_FEED_PROXY"]).port or 0, Path(exchange["CANDLESTREAM_FEED_CA"])
    )
    yield company
    company.admin("DELETE", "faults")


def of_the_user(company: FaultyExchange, *bundles: str) -> dict[str, str]:
    """The user's environment with the proxy, and the company's authority under the names that he has set."""
    kept = {n: v for n, v in os.environ.items() if n not in BUNDLES and not n.lower().endswith("_proxy")}
    return kept | {"HTTPS_PROXY": f"http://127.0.0.1:{company.port}"} | dict.fromkeys(bundles, str(company.ca))


def decided(environment: dict[str, str]) -> str:
    """The source of an empty home, and why."""
    command = [sys.executable, "-c", DECISION]
    variables = environment | {"PYTHONPATH": str(REPO)}
    return subprocess.run(command, cwd=REPO, env=variables, capture_output=True, text=True, check=True).stdout


@pytest.mark.parametrize("bundle", BUNDLES)
def test_an_empty_home_finds_yahoo_through_the_proxy(company: FaultyExchange, bundle: str) -> None:
    assert decided(of_the_user(company, bundle)) == "yahoo: Yahoo Finance answers\n"


@pytest.mark.parametrize(("kind", "parameters"), REFUSALS)
def test_a_refusal_is_an_answer_and_the_home_is_yahoos(
    company: FaultyExchange, kind: str, parameters: dict[str, Any]
) -> None:
    with company.wrong(kind, **parameters):
        assert decided(of_the_user(company, *BUNDLES)) == "yahoo: Yahoo Finance answers\n"


def test_without_the_companys_authority_the_simulated_exchange_feeds_the_home_and_the_reason_names_the_certificate(
    company: FaultyExchange,
) -> None:
    said = decided(of_the_user(company))
    assert said.startswith("simulator: Yahoo Finance cannot be reached (")
    assert "certificate" in said


@pytest.fixture
def behind_proxy(ingestion: Ingestion, company: FaultyExchange) -> Ingestion:
    kept = {n: v for n, v in ingestion.environment.items() if n.startswith("CANDLESTREAM_") and "FEED" not in n}
    own = {"CANDLESTREAM_SOURCE": "yahoo", "PGPASSFILE": ingestion.environment["PGPASSFILE"]}
    # One name of the authority is enough: it is meant for whoever speaks TLS.
    return replace(ingestion, environment=of_the_user(company, "SSL_CERT_FILE") | kept | own)


def test_polls_and_the_live_feed_go_through_the_users_proxy_and_authority(behind_proxy: Ingestion) -> None:
    exit_code, summary, log = behind_proxy.command("poll")
    assert exit_code == 0, log
    assert {bar.timeframe for bar in behind_proxy.events(Bar)} == {"1m", "1d"}
    assert summary["bars"] == len(behind_proxy.events(Bar))
    with behind_proxy.live():
        until(lambda: {tick.symbol for tick in behind_proxy.events(Tick)} == {"AAPL", "MSFT"}, "ticks of both")
    assert {record.source for record in (*behind_proxy.events(Tick), *behind_proxy.events(Bar))} == {"yahoo"}


@pytest.mark.parametrize(
    ("kind", "parameters", "exit_code", "state", "words"),
    [
        ("throttle", {"retry_after_s": 40}, 10, "throttled", "throttled by Yahoo, next try in 40 s"),
        ("bad_crumb", {"renewable": False}, 11, "retrying", "refused with 401, next try in "),
        ("server_error", {"status": 503}, 12, "retrying", "answered with 503, next try in "),
    ],
)
def test_a_refusal_is_said_with_the_next_try(
    behind_proxy: Ingestion,
    company: FaultyExchange,
    kind: str,
    parameters: dict[str, Any],
    exit_code: int,
    state: str,
    words: str,
) -> None:
    with company.wrong(kind, **parameters):
        ended, _, log = behind_proxy.command("poll", "--deadline", "15")
    assert ended == exit_code, log
    [(said, detail)] = behind_proxy.sql("SELECT state, detail FROM v1.service_status WHERE name = 'poll'")
    assert said == state
    assert words in detail
