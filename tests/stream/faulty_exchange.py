"""An exchange as a process of its own whose faults a test switches, and clients that ask it, each a process with the
environment that points yfinance there: ingestion's own requesting code, and the unmodified yfinance by itself."""

import json
import os
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from urllib.request import ProxyHandler, Request, build_opener

from stack.ports import HOST, free_port
from tests.embedded import REPO, running, wait_until

# Reads one question a line and answers it with one line.
INGESTION = """
import json, sys, tempfile, time
from pathlib import Path
from ingestion.requesting.budget import Budget
from ingestion.errors import ProviderError
from ingestion.providers.yahoo import Yahoo
import logging, structlog
structlog.configure(wrapper_class=structlog.make_filtering_bound_logger(logging.CRITICAL))
folder = Path(tempfile.mkdtemp())
for number, line in enumerate(sys.stdin):
    asked = json.loads(line)
    # A budget of its own, so that what one question was refused does not hold up the next.
    cache = folder / ("cache" if asked["knows_zone"] else f"cache-{number}")
    yahoo = Yahoo(cache, Budget(folder / f"{number}.json", 10_000))
    begun, said = time.monotonic(), {}
    try:
        answer = yahoo.newest(asked["symbol"], asked["timeframe"])
        said = {"error": None, "rows": [[row.ts_ms, row.close, row.volume] for row in answer.rows]}
    except ProviderError as error:
        said = {"error": type(error).__name__, "sentence": str(error), "next_try_s": error.next_try_s}
    except Exception as error:
        said = {"error": "escaped " + type(error).__name__, "sentence": str(error)}
    print(json.dumps(said | {"seconds": time.monotonic() - begun}), flush=True)
"""
# The live feed's supervisor: a line for each thing that happens to it, and one each second with what it has counted.
LIVE = """
import asyncio, json, random, sys, tempfile, time
from pathlib import Path
from ingestion.requesting.budget import Budget
from ingestion.live.feed import Feed
from ingestion.providers.base import MalformedFrame
from ingestion.providers.yahoo import Yahoo
import logging, structlog
structlog.configure(wrapper_class=structlog.make_filtering_bound_logger(logging.CRITICAL))
folder = Path(tempfile.mkdtemp())
yahoo = Yahoo(folder, Budget(folder / "budget.json", 60))
counted = {"quotes": 0, "malformed": 0}

def say(event, **more):
    print(json.dumps({"event": event, "at": time.monotonic(), "cpu_s": time.process_time(), **counted, **more}), flush=True)

async def on_frame(frame, received_ms):
    try:
        counted["quotes"] += yahoo.decode(frame) is not None
    except MalformedFrame:
        counted["malformed"] += 1

async def main():
    feed = Feed(yahoo, lambda: frozenset(["NVDA", "BTC-USD"]), lambda ms: True, on_frame,
                lambda reason, sentence, ms: say("lost", reason=reason, sentence=sentence),
                lambda ms: say("connected"), 3.0, lambda: time.time_ns() // 1_000_000, random.Random(1))
    running = asyncio.create_task(feed.run())
    while not running.done():
        await asyncio.sleep(0.5)
        say("count")
    await running

asyncio.run(main())
"""
YFINANCE = """
import json, logging, sys, tempfile, time
import yfinance as yf
from yfinance.data import YfData
logging.getLogger("yfinance").disabled = True
for line in sys.stdin:
    asked = json.loads(line)
    yf.set_tz_cache_location(tempfile.mkdtemp())
    YfData().cache_get.cache_clear()
    begun = time.monotonic()
    try:
        frame = yf.Ticker(asked["symbol"]).history(period="1d", interval=asked["timeframe"], auto_adjust=False)
        said = {"error": None, "rows": len(frame), "zone": str(frame.index.tz) if len(frame) else None}
    except Exception as error:
        said = {"error": type(error).__name__, "sentence": str(error)}
    print(json.dumps(said | {"seconds": time.monotonic() - begun}), flush=True)
"""


@dataclass
class Client:
    process: subprocess.Popen[str]

    def ask(self, symbol: str = "AAPL", timeframe: str = "1m", *, knows_zone: bool = False) -> dict[str, Any]:
        """What the client makes of the exchange's answer. `knows_zone`: it has asked about a symbol before."""
        assert self.process.stdin is not None
        assert self.process.stdout is not None
        question = {"symbol": symbol, "timeframe": timeframe, "knows_zone": knows_zone}
        self.process.stdin.write(json.dumps(question) + "\n")
        self.process.stdin.flush()
        answer = self.process.stdout.readline()
        assert answer, "the client died"
        return json.loads(answer)


@dataclass
class LiveClient:
    process: subprocess.Popen[str]

    def until(self, event: str, **wanted: Any) -> dict[str, Any]:
        """The next line of this event with these values; others are passed over. Fails after 40 s of them."""
        assert self.process.stdout is not None
        ends_s = time.monotonic() + 40
        for line in self.process.stdout:
            said = json.loads(line)
            if said["event"] == event and all(said[name] == value for name, value in wanted.items()):
                return said
            assert time.monotonic() < ends_s, f"no {event} {wanted}"
        raise AssertionError("the live client died")

    def counts_more(self, name: str) -> dict[str, Any]:
        """The next line in which a count is above that of the first one."""
        first = self.until("count")
        while (later := self.until("count"))[name] <= first[name]:
            pass
        return later


@dataclass
class FaultyExchange:
    port: int
    ca: Path

    def environment(self) -> dict[str, str]:
        kept = {name: value for name, value in os.environ.items() if not name.lower().endswith("_proxy")}
        trust = dict.fromkeys(("SSL_CERT_FILE", "CURL_CA_BUNDLE", "REQUESTS_CA_BUNDLE"), str(self.ca))
        return kept | trust | {"HTTPS_PROXY": f"http://{HOST}:{self.port}", "PYTHONPATH": str(REPO)}

    def admin(self, method: str, path: str, body: Any = None) -> Any:
        request = Request(
            f"http://{HOST}:{self.port}/admin/{path}",
            method=method,
            data=None if body is None else json.dumps(body).encode(),
            headers={"Content-Type": "application/json"},
        )
        with build_opener(ProxyHandler({})).open(request, timeout=10) as answer:
            return json.load(answer)

    @contextmanager
    def wrong(self, kind: str, **parameters: Any) -> Iterator[None]:
        """A fault is on within."""
        self.admin("POST", "faults", {"kind": kind, **parameters})
        try:
            yield
        finally:
            self.admin("DELETE", "faults")

    @contextmanager
    def client(self, script: str) -> Iterator[Client]:
        with self._process(script) as process:
            yield Client(process)

    @contextmanager
    def live_client(self) -> Iterator[LiveClient]:
        with self._process(LIVE) as process:
            yield LiveClient(process)

    @contextmanager
    def _process(self, script: str) -> Iterator[subprocess.Popen[str]]:
        command = [sys.executable, "-W", "ignore", "-c", script]
        with subprocess.Popen(
            command, cwd=REPO, env=self.environment(), text=True,
            stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL,
        ) as process:  # fmt: skip
            try:
                yield process
            finally:
                process.kill()


@contextmanager
def running_exchange(*options: str) -> Iterator[FaultyExchange]:
    folder, port = Path(tempfile.mkdtemp(prefix="candlestream-exchange-")), free_port()
    command = [sys.executable, "-m", "simulator", "serve", "--port", str(port), "--home", str(folder), *options]
    log = folder / "simulator.log"
    with running(command, log, signal.SIGTERM, os.environ | {"PYTHONPATH": str(REPO)}) as process:
        wait_until(lambda: "serving" in log.read_text(), process, log)
        yield FaultyExchange(port, folder / "simulator" / "ca.pem")
