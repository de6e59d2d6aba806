"""The unmodified yfinance, pointed at the exchange by environment variables alone, as the platform does it."""

import json
import os
import signal
import socket
import subprocess
import sys
import time
import urllib.request
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from tests.unit.simulator.yfinance_client import assert_whole, what_yfinance_finds

pytestmark = pytest.mark.slow

ROOT = Path(__file__).parents[3]


@dataclass(frozen=True)
class Exchange:
    process: subprocess.Popen[bytes]
    port: int
    ca: Path

    def client_environment(self) -> dict[str, str]:
        kept = {name: value for name, value in os.environ.items() if not name.lower().endswith("_proxy")}
        trust = dict.fromkeys(("SSL_CERT_FILE", "CURL_CA_BUNDLE", "REQUESTS_CA_BUNDLE"), str(self.ca))
        return kept | trust | {"HTTPS_PROXY": f"http://127.0.0.1:{self.port}"}


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def wait_for_health(port: int) -> None:
    opener = urllib.request.build_opener(urllib.request.ProxyHandler({}))
    deadline = time.monotonic() + 20
    while True:
        try:
            with opener.open(f"http://127.0.0.1:{port}/health", timeout=2) as answer:
                assert json.load(answer)["status"] == "ok"
                return
        except OSError:
            if time.monotonic() > deadline:
                raise
            time.sleep(0.05)


@pytest.fixture(scope="module")
def exchange(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Exchange]:
    home, port = tmp_path_factory.mktemp("home"), free_port()
    command = [
        sys.executable,
        "-m",
        "simulator",
        "serve",
        "--port",
        str(port),
        "--home",
        str(home),
        "--ticks-per-second",
        "5",
    ]
    with subprocess.Popen(command, cwd=ROOT, stderr=subprocess.DEVNULL) as process:
        try:
            wait_for_health(port)
            yield Exchange(process, port, home / "simulator" / "ca.pem")
        finally:
            process.kill()


@pytest.fixture(scope="module")
def found(exchange: Exchange, tmp_path_factory: pytest.TempPathFactory) -> dict[str, Any]:
    return what_yfinance_finds(exchange.client_environment(), tmp_path_factory.mktemp("cache"))


def test_yfinance_finds_history_actions_and_names(found: dict[str, Any]):
    """Over curl_cffi, its default; over requests it is among the slower tests."""
    assert_whole(found)


def test_yfinance_finds_nothing_for_an_unknown_symbol(found: dict[str, Any]):
    assert found["unknown"] == 0


def test_yfinance_hears_the_feed(found: dict[str, Any]):
    ticks = found["ticks"]
    assert {tick["id"] for tick in ticks} == {"NVDA"}
    assert abs(int(ticks[-1]["time"]) - time.time() * 1000) < 60_000
    assert found["sync"] == "BTC-USD"


def test_nothing_is_tunnelled_anywhere_else(exchange: Exchange):
    with socket.create_connection(("127.0.0.1", exchange.port), timeout=5) as connection:
        connection.sendall(b"CONNECT example.com:443 HTTP/1.1\r\nHost: example.com:443\r\n\r\n")
        assert connection.recv(4096).startswith(b"HTTP/1.1 403 ")


def test_it_stops_on_sigterm(exchange: Exchange, found: dict[str, Any]):
    exchange.process.send_signal(signal.SIGTERM)
    assert exchange.process.wait(timeout=10) == 0
