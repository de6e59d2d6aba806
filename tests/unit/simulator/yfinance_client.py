"""The unmodified yfinance in a process of its own, and what it has to find at the exchange."""

import json
import subprocess
import sys
from pathlib import Path
from typing import Any

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


def what_yfinance_finds(environment: dict[str, str], cache: Path) -> dict[str, Any]:
    """Everything that a client asks for, asked once."""
    command = [sys.executable, "-c", CLIENT, str(cache)]
    ran = subprocess.run(command, env=environment, capture_output=True, text=True, timeout=180, check=False)
    assert ran.returncode == 0, ran.stderr
    return json.loads(ran.stdout.splitlines()[-1])


def assert_whole(found: dict[str, Any]) -> None:
    assert found["minutes"] > 0
    assert {"Open", "High", "Low", "Close", "Adj Close", "Volume"} <= set(found["columns"])
    assert found["max"] > 16_000
    assert found["splits"] == [2.0, 2.0, 2.0, 7.0, 4.0]
    assert found["half_hours"] > 190
    assert found["week"] in (5, 6)
    assert found["info"] == {"symbol": "AAPL", "longName": "Apple Inc.", "currency": "USD", "exchange": "SIM"}
    assert found["last_price"] > 0
    assert "NVDA" in found["search"]
