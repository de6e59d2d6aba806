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

import pytest

ROOT = Path(__file__).parents[3]

CLIENT = """
import asyncio, json, sys, warnings
warnings.simplefilter("ignore")
import yfinance as yf
yf.set_tz_cache_location(sys.argv[1])
found = {}
ticker = yf.Ticker("AAPL")
minutes = ticker.history(period="1d", interval="1m", auto_adjust=False)
found["minutes"] = len(minutes)
found["columns"] = list(minutes.columns)
found["max"] = len(ticker.history(period="max"))
found["splits"] = ticker.splits.tolist()
found["half_hours"] = len(ticker.history(period="5d", interval="30m", prepost=True))
found["week"] = len(ticker.history(period="1mo", interval="1wk"))
found["info"] = {name: ticker.info[name] for name in ("symbol", "longName", "currency", "exchange")}
found["last_price"] = ticker.fast_info["lastPrice"]
found["unknown"] = len(yf.Ticker("NOPE").history(period="5d"))
found["search"] = [quote["symbol"] for quote in yf.Search("nvidia").quotes]

async def listen():
    ticks = []
    async with yf.AsyncWebSocket(verbose=False) as feed:
        await feed.subscribe(["NVDA", "NOPE"])
        listening = asyncio.create_task(feed.listen(ticks.append))
        for _ in range(100):
            await asyncio.sleep(0.05)
            if len(ticks) >= 2:
                break
        listening.cancel()
    return ticks

found["ticks"] = asyncio.run(listen())
feed = yf.WebSocket(verbose=False)
feed.subscribe("BTC-USD")

class Enough(BaseException):
    pass

def one(tick):
    found["sync"] = tick["id"]
    raise Enough

try:
    feed.listen(one)
except Enough:
    pass
print(json.dumps(found))
"""


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
def clients(exchange: Exchange, tmp_path_factory: pytest.TempPathFactory) -> dict[str, dict]:
    """What yfinance found, with either of its HTTP libraries; both run at once."""
    running = {}
    for library, extra in (("curl_cffi", {}), ("requests", {"YF_DISABLE_CURL_CFFI": "1"})):
        command = [sys.executable, "-c", CLIENT, str(tmp_path_factory.mktemp(library))]
        environment = exchange.client_environment() | extra
        running[library] = subprocess.Popen(
            command, env=environment, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
        )
    found = {}
    for library, client in running.items():
        out, err = client.communicate(timeout=180)
        assert client.returncode == 0, err
        found[library] = json.loads(out.splitlines()[-1])
    return found


@pytest.mark.parametrize("library", ["curl_cffi", "requests"])
def test_yfinance_finds_history_actions_and_names(clients: dict[str, dict], library: str):
    found = clients[library]
    assert found["minutes"] > 0
    assert {"Open", "High", "Low", "Close", "Adj Close", "Volume"} <= set(found["columns"])
    assert found["max"] > 16_000
    assert found["splits"] == [2.0, 2.0, 2.0, 7.0, 4.0]
    assert found["half_hours"] > 190
    assert found["week"] in (5, 6)
    assert found["info"] == {"symbol": "AAPL", "longName": "Apple Inc.", "currency": "USD", "exchange": "SIM"}
    assert found["last_price"] > 0
    assert "NVDA" in found["search"]


@pytest.mark.parametrize("library", ["curl_cffi", "requests"])
def test_yfinance_finds_nothing_for_an_unknown_symbol(clients: dict[str, dict], library: str):
    assert clients[library]["unknown"] == 0


@pytest.mark.parametrize("library", ["curl_cffi", "requests"])
def test_yfinance_hears_the_feed(clients: dict[str, dict], library: str):
    ticks = clients[library]["ticks"]
    assert {tick["id"] for tick in ticks} == {"NVDA"}
    assert abs(int(ticks[-1]["time"]) - time.time() * 1000) < 60_000
    assert clients[library]["sync"] == "BTC-USD"


def test_nothing_is_tunnelled_anywhere_else(exchange: Exchange):
    with socket.create_connection(("127.0.0.1", exchange.port), timeout=5) as connection:
        connection.sendall(b"CONNECT example.com:443 HTTP/1.1\r\nHost: example.com:443\r\n\r\n")
        assert connection.recv(4096).startswith(b"HTTP/1.1 403 ")


def test_it_stops_on_sigterm(exchange: Exchange, clients: dict[str, dict]):
    exchange.process.send_signal(signal.SIGTERM)
    assert exchange.process.wait(timeout=10) == 0
