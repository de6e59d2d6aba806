"""What the feed sends is what yfinance's own decoder reads."""

import base64
import importlib.util
import json
from pathlib import Path
from types import ModuleType
from typing import Any

import numpy as np

from simulator.market import Market
from simulator.tape import minute_tape
from simulator.wire import encode
from tests.unit.simulator.conftest import ms


def yfinance_pricing() -> ModuleType:
    """yfinance's generated decoder by itself, without the second that importing yfinance takes."""
    package = importlib.util.find_spec("yfinance")
    folder = Path(package.submodule_search_locations[0])
    spec = importlib.util.spec_from_file_location("pricing_pb2", folder / "pricing_pb2.py")
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


PricingData: Any = yfinance_pricing().PricingData
MINUTE_MS = ms("2026-03-11T15:41:00+00:00")


def decoded(market: Market, symbol: str, minute_ms: int) -> list[Any]:
    tape = minute_tape(market.instrument(symbol, minute_ms), minute_ms, 2.0)
    frames = [json.loads(encode(tick)) for _, tick in tape]
    return [PricingData.FromString(base64.b64decode(frame["message"])) for frame in frames]


def test_yfinance_reads_every_field(market: Market):
    ticks = decoded(market, "AAPL", MINUTE_MS)
    assert 10 < len(ticks) <= 130
    previous = market.instrument("AAPL", MINUTE_MS).bar(market.instrument("AAPL", MINUTE_MS).row_at(MINUTE_MS) - 1)
    for tick in ticks:
        assert (tick.id, tick.currency, tick.exchange, tick.short_name) == ("AAPL", "USD", "SIM", "Apple Inc.")
        assert (tick.quote_type, tick.market_hours, tick.price_hint) == (8, 1, 2)
        assert MINUTE_MS <= tick.time < MINUTE_MS + 60_000
        assert tick.previous_close == np.float32(previous.close / 100)
        assert tick.change == np.float32(round(tick.price - tick.previous_close, 2))
        assert tick.day_low <= tick.price <= tick.day_high


def test_ticks_come_in_order_with_a_cumulative_volume(market: Market):
    ticks = [tick for minute in range(3) for tick in decoded(market, "NVDA", MINUTE_MS + minute * 60_000)]
    assert np.all(np.diff([tick.time for tick in ticks]) >= 0)
    assert np.all(np.diff([tick.day_volume for tick in ticks]) > 0)
    assert np.all(np.diff([tick.day_high for tick in ticks]) >= 0)


def test_the_feed_is_throttled_to_the_rate_that_is_set(market: Market):
    instrument = market.instrument("NVDA", MINUTE_MS)
    counts = {rate: len(minute_tape(instrument, MINUTE_MS, rate)) for rate in (0.5, 2.0, 50.0)}
    assert counts[0.5] <= 40 < counts[2.0] <= 150 < counts[50.0]


def test_ticks_say_which_part_of_the_day_they_belong_to(exchanges: Market):
    parts = {
        "2026-03-11T05:00:00-04:00": 0,
        "2026-03-11T10:00:00-04:00": 1,
        "2026-03-11T17:00:00-04:00": 2,
    }
    for time, part in parts.items():
        ticks = [tick for minute in range(5) for tick in decoded(exchanges, "NVDA", ms(time) + minute * 60_000)]
        assert {tick.market_hours for tick in ticks} == {part}
    for silent in ("2026-03-11T22:00:00-04:00", "2026-03-14T12:00:00-04:00"):
        assert decoded(exchanges, "NVDA", ms(silent)) == []
