"""The price is a pure function of (seed, symbol, time): no order of asking, no restart and no other process changes it."""

import hashlib
import json
import subprocess
import sys

import numpy as np
import orjson
import pytest

from simulator.chart import chart_answer
from simulator.listings import read_listings
from simulator.market import Market
from simulator.splits import read_splits
from simulator.tape import minute_tape
from tests.unit.simulator.conftest import SEED, ms

pytestmark = pytest.mark.slow

NOW_MS = ms("2026-03-11T15:41:27+00:00")
QUESTIONS = [
    ("AAPL", {"range": "1d", "interval": "1m"}),
    ("BTC-USD", {"range": "5d", "interval": "15m"}),
    ("AAPL", {"range": "max", "interval": "1mo"}),
    ("7203.T", {"range": "1mo", "interval": "1h"}),
    ("EURUSD=X", {"range": "1mo", "interval": "1d"}),
]
ASK_ELSEWHERE = """
import json, sys
sys.path.insert(0, ".")
from tests.unit.simulator import test_purity as t
market = t.Market(t.SEED, t.read_listings(), t.read_splits(), "24/7")
print(json.dumps(t.answers(market, t.QUESTIONS)))
"""


def answers(market: Market, questions: list[tuple[str, dict[str, str]]]) -> dict[str, str]:
    """A hash of each answer, and of a minute of the tape."""
    bodies = {
        f"{symbol} {query}": orjson.dumps(
            chart_answer(market, symbol, query, NOW_MS), option=orjson.OPT_SERIALIZE_NUMPY
        )
        for symbol, query in questions
    }
    tape = minute_tape(market.instrument("AAPL", NOW_MS), NOW_MS // 60_000 * 60_000, 2.0)
    bodies["tape"] = repr(tape).encode()
    return {name: hashlib.sha256(body).hexdigest() for name, body in bodies.items()}


def test_another_process_gives_the_same_answers(market: Market):
    ran = subprocess.run([sys.executable, "-c", ASK_ELSEWHERE], capture_output=True, text=True, check=True)
    assert json.loads(ran.stdout) == answers(market, QUESTIONS)


def test_the_order_of_asking_changes_nothing(market: Market):
    fresh = Market(SEED, read_listings(), read_splits(), "24/7")
    assert answers(fresh, QUESTIONS[::-1]) == answers(market, QUESTIONS)


def test_another_seed_gives_another_market(market: Market):
    other = Market(SEED + 1, read_listings(), read_splits(), "24/7")
    ours, theirs = (answers(each, QUESTIONS[:1]) for each in (market, other))
    assert all(ours[name] != theirs[name] for name in ours)


def test_next_year_does_not_change_what_was(market: Market):
    """The arrays grow with the calendar, through the end of the year after the one that is asked in."""
    now = market.instrument("AAPL", NOW_MS).days
    later = market.instrument("AAPL", ms("2028-06-01T00:00:00+00:00")).days
    for name in ("open", "high", "low", "close", "volume", "factor"):
        assert np.array_equal(getattr(now, name), getattr(later, name)[: len(now.open)])


def test_a_past_window_is_the_same_whenever_it_is_asked(market: Market):
    window = {"interval": "1m", "period1": str(NOW_MS // 1000 - 7200), "period2": str(NOW_MS // 1000 - 3600)}
    first, second = (
        chart_answer(market, "AAPL", window, at)["chart"]["result"][0] for at in (NOW_MS, NOW_MS + 5 * 86_400_000)
    )
    assert np.array_equal(first["timestamp"], second["timestamp"])
    for name, values in first["indicators"]["quote"][0].items():
        assert np.array_equal(values, second["indicators"]["quote"][0][name])
