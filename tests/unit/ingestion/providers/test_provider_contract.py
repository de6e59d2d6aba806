"""The platform's providers keep the contract."""

import base64
import csv
import json
from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from curl_cffi import requests as curl
from yfinance.pricing_pb2 import PricingData

from ingestion.providers import connect
from ingestion.providers.files import Files
from ingestion.records.instruments import Instrument
from ingestion.requesting.budget import Budget
from tests.unit.ingestion.providers.provider_kit import Case, LiveProviderContract, ProviderContract
from tests.unit.ingestion.providers.wire import answered, chart, quotes

pytestmark = pytest.mark.unit

At = Callable[[str], int]
MINUTES = ["2025-11-24T14:30", "2025-11-24T14:31", "2025-11-24T14:33", "2025-11-24T14:34"]
CLOSES = [100.0, 100.5, 101.25, 101.0]


@pytest.fixture
def minutes(at: At) -> list[int]:
    return [at(minute) for minute in MINUTES]


@pytest.fixture
def quiet(at: At) -> tuple[int, int]:
    """A Saturday."""
    return at("2025-11-22T14:30"), at("2025-11-22T15:30")


class Exchange:
    """Yahoo's hosts: cookie, crumb, and charts of the rows above for the window that is asked for."""

    def __init__(self, minutes: list[int], at: At) -> None:
        self.seconds = [ms // 1000 for ms in minutes]
        self.session = {"start": at("2025-11-24T14:30") // 1000, "end": at("2025-11-24T21:00") // 1000}

    def request(self, _session: Any, _method: str, url: str, *_: Any, **arguments: Any) -> curl.Response:
        if "/v8/finance/chart/" not in url:
            return answered(200, b"crumb", url)
        if "AAPL" not in url:
            reason = {"code": "Not Found", "description": "No data found, symbol may be delisted"}
            return answered(404, {"chart": {"error": reason, "result": None}}, url)
        asked = arguments.get("params") or {}
        begin, end = int(asked.get("period1", 0)), int(asked.get("period2", 1 << 40))
        rows = [(s, close) for s, close in zip(self.seconds, CLOSES, strict=True) if begin <= s < end]
        periods = {
            name: [[self.session | {"timezone": "EST", "gmtoffset": -18000}]] for name in ("pre", "regular", "post")
        }
        if not rows:
            return answered(200, chart({"tradingPeriods": periods}), url)
        prices = {key: [close for _, close in rows] for key in ("open", "high", "low", "close")}
        columns = prices | {"volume": [100.0] * len(rows)}
        return answered(200, chart({"tradingPeriods": periods}, **quotes([s for s, _ in rows], **columns)), url)


def test_what_stands_in_for_a_provider_is_called_what_it_is(tmp_path: Path) -> None:
    budget = Budget(tmp_path / "requests.json", 60)
    assert connect("yahoo", tmp_path, budget, "simulator").title == "the simulated exchange"
    assert connect("yahoo", tmp_path, budget, "yahoo").title == "Yahoo"


class TestYahoo(LiveProviderContract):
    @pytest.fixture
    def case(
        self, monkeypatch: pytest.MonkeyPatch, tmp_path: Path, minutes: list[int], quiet: tuple[int, int], at: At
    ) -> Case:
        exchange = Exchange(minutes, at)
        monkeypatch.setattr(curl.Session, "request", lambda *args, **kwargs: exchange.request(*args, **kwargs))
        pricing = PricingData(id="AAPL", price=100.25, time=minutes[0], market_hours=1, day_volume=900)
        return Case(
            provider=connect("yahoo", tmp_path, Budget(tmp_path / "requests.json", 600)),
            symbol="AAPL",
            unknown="NOPE",
            minutes=minutes,
            closes=CLOSES,
            quiet=quiet,
            quotes=[json.dumps({"message": base64.b64encode(pricing.SerializeToString()).decode()})],
            control=["{}", '{"type": "ack"}'],
            garbage=["", "<html>", "[]", '{"message": "!"}', '{"message": "AAAA"}', b"\xff\xfe"],
        )


def rows_of(minutes: list[int]) -> list[dict[str, Any]]:
    """Newest first and with another symbol between them, as files are."""
    rows = [
        {"symbol": symbol, "timeframe": "1m", "ts": ms, "open": c, "high": c, "low": c, "close": c, "volume": 100}
        for ms, c in zip(minutes, CLOSES, strict=True)
        for symbol in ("AAPL", "MSFT")
    ]
    return rows[::-1]


class TestCsv(ProviderContract):
    @pytest.fixture
    def case(self, tmp_path: Path, apple: Instrument, minutes: list[int], quiet: tuple[int, int]) -> Case:
        path = tmp_path / "bars.csv"
        rows = [row | {"ts": datetime.fromtimestamp(row["ts"] / 1000, UTC).isoformat()} for row in rows_of(minutes)]
        with path.open("w", newline="") as file:
            writer = csv.DictWriter(file, list(rows[0]))
            writer.writeheader()
            writer.writerows(rows)
        files = Files(path, {"AAPL": apple}.get)
        return Case(provider=files, symbol="AAPL", unknown="NOPE", minutes=minutes, closes=CLOSES, quiet=quiet)


class TestParquet(ProviderContract):
    @pytest.fixture
    def case(self, tmp_path: Path, apple: Instrument, minutes: list[int], quiet: tuple[int, int]) -> Case:
        path = tmp_path / "bars.parquet"
        table = pa.Table.from_pylist(rows_of(minutes))
        moments = pa.array([row["ts"] for row in rows_of(minutes)], pa.timestamp("ms", "UTC"))
        pq.write_table(table.set_column(table.schema.get_field_index("ts"), "Timestamp", moments), path)
        files = Files(path, {"AAPL": apple}.get)
        return Case(provider=files, symbol="AAPL", unknown="NOPE", minutes=minutes, closes=CLOSES, quiet=quiet)
