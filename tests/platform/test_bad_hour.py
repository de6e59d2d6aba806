"""A whole platform with Airflow's own scheduler, at the exchange's own pace: it and the ingester are killed while answers and
feed go wrong. Afterwards each minute is the exchange's own, or the ledger says that nobody traded in it."""

import os
import signal
import time
from pathlib import Path

import psutil
import pytest

from market.timeframes import MINUTE_MS
from simulator.listings import read_listings
from simulator.market import Market
from simulator.splits import read_splits
from tests.platform.conftest import Running

pytestmark = [pytest.mark.platform, pytest.mark.long, pytest.mark.timeout(2700)]

SEED = 7
# What an answer does wrong, one kind after the other, and beside it what the feed does.
SCENARIO = """
name = "a bad quarter of an hour"

[[fault]]
kind = "missing_minutes"
for = "3m"
restored_after = "4m"

[[fault]]
kind = "corrected_bars"
at = "+1m"
for = "4m"
after = "6m"

[[fault]]
kind = "throttle"
at = "+1m"
for = "1m"
retry_after_s = 5

[[fault]]
kind = "server_error"
at = "+150s"
for = "1m"
status = 503

[[fault]]
kind = "truncated"
at = "+4m"
for = "1m"

[[fault]]
kind = "duplicate_ticks"
for = "1m"
after = "3s"

[[fault]]
kind = "bad_prices"
at = "+1m"
for = "1m"
value = "spike"

[[fault]]
kind = "feed_close"
at = "+150s"

[[fault]]
kind = "feed_silence"
at = "+160s"
for = "30s"

[[fault]]
kind = "clock_skew"
at = "+4m"
for = "1m"
skew_s = 20
"""
FAULTY_S = 5 * 60
# Corrections have come, polls and the ledger have had their turn.
SETTLES_S = 20 * 60

Row = tuple[float, float, float, float, float]
Minutes = dict[tuple[str, int], Row]


def tape(symbols: list[str], first_ms: int, last_ms: int) -> Minutes:
    """What was traded, by the exchange itself: a pure function of seed, symbol and minute."""
    market = Market(SEED, read_listings(), read_splits(), "24/7")
    found = {}
    for symbol in symbols:
        instrument = market.instrument(symbol, last_ms)
        tick = instrument.listing.tick
        for session in range(instrument.row_at(first_ms), instrument.row_at(last_ms - 1) + 1):
            bars = instrument.minutes(session)
            for place, minute in enumerate(instrument.minute_starts(session).tolist()):
                if first_ms <= minute < last_ms and bars.trades[place]:
                    prices = (float(getattr(bars, name)[place]) * tick for name in ("open", "high", "low", "close"))
                    found[symbol, minute] = (*(round(price, 6) for price in prices), float(bars.volume[place]))
    return found


def stored(running: Running, first_ms: int, last_ms: int) -> Minutes:
    rows = running.rows(
        """SELECT symbol, (extract(epoch FROM ts) * 1000)::bigint, open, high, low, close, volume FROM v1.bars
           WHERE timeframe = '1m' AND session = 'regular' AND ts >= to_timestamp(%s) AND ts < to_timestamp(%s)""",
        first_ms / 1000,
        last_ms / 1000,
    )
    return {(symbol, minute): tuple(round(value, 6) for value in values) for symbol, minute, *values in rows}


def sleep_until(at_ms: float) -> None:
    """Returns at once where the machine stood still until after it."""
    time.sleep(max(0.0, at_ms / 1000 - time.time()))


def kill_scheduler(running: Running) -> None:
    """kill -9; the supervisor starts it again."""
    supervisor = psutil.Process(running.status()["supervisor"]["pid"])
    airflows = [child for child in supervisor.children() if "airflow" in " ".join(child.cmdline())]
    [scheduler] = [child for child in airflows if "scheduler" in child.cmdline()]
    scheduler.kill()


def test_a_bad_quarter_of_an_hour_under_airflow_ends_as_the_exchange_traded_it(
    running: Running, tmp_path: Path
) -> None:
    symbols = [symbol for (symbol,) in running.rows("SELECT symbol FROM v1.instruments WHERE tracked ORDER BY symbol")]
    scenario = tmp_path / "scenario.toml"
    scenario.write_text(SCENARIO)
    first_ms = (int(time.time() * 1000) // MINUTE_MS + 1) * MINUTE_MS
    sleep_until(first_ms)
    running.done("faults", "load", str(scenario))
    time.sleep(45)
    kill_scheduler(running)
    time.sleep(30)
    os.kill(running.pid("ingestion"), signal.SIGKILL)
    last_ms = first_ms + FAULTY_S * 1000
    sleep_until(last_ms - 60_000)
    kill_scheduler(running)
    sleep_until(last_ms)
    running.done("faults", "off")

    truth = tape(symbols, first_ms, last_ms)
    assert len(truth) > len(symbols)
    limit_s = time.monotonic() + SETTLES_S
    while (found := stored(running, first_ms, last_ms)) != truth and time.monotonic() < limit_s:
        time.sleep(5)
    wrong = {place: (found.get(place), truth.get(place)) for place in found.keys() | truth.keys()}
    assert {place: pair for place, pair in wrong.items() if pair[0] != pair[1]} == {}

    def reasons() -> set[tuple[str, str]]:
        rows = running.rows(
            """SELECT DISTINCT reason, state FROM v1.gaps WHERE symbol <> '' AND ends_at > to_timestamp(%s)
               AND starts_at < to_timestamp(%s)""",
            first_ms / 1000,
            last_ms / 1000,
        )
        return set(rows)

    # The ledger's own next look: every ten minutes.
    while not all(state != "open" for _, state in reasons()) and time.monotonic() < limit_s:
        time.sleep(5)
    assert {entry for entry in reasons() if entry[1] != "repaired"} <= {("no_trade", "accepted")}
