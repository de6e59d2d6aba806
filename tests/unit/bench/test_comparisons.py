"""The comparisons are fair in what can be said without running them."""

from dataclasses import dataclass
from pathlib import Path

import orjson
import pytest

from bench.kit import Aim, interleaved
from bench.peers import loop
from bench.peers.environments import HERE
from bench.stock import stock_conf
from bench.watching import Commit, steady
from market.contracts import Clock, Tick
from stack.home import Home

pytestmark = pytest.mark.unit

MINUTE_MS = 60_000


@dataclass
class Message:
    """What the loop asks of a Kafka message."""

    payload: bytes

    def value(self) -> bytes:
        return self.payload


def tick(ms: int, price: float, volume: int) -> Message:
    return Message(
        Tick(source="simulator", symbol="A", event_ms=ms, fetched_ms=ms, price=price, day_volume=volume).encode()
    )


def test_every_way_runs_once_a_round_and_none_always_goes_first(capsys: pytest.CaptureFixture[str]) -> None:
    order: list[str] = []
    ways = {name: (lambda name=name: order.append(name) or float(len(order))) for name in "abc"}
    found = interleaved(ways, 3)
    assert "".join(order) == "abcbcacab"
    assert found == {"a": [1.0, 6.0, 8.0], "b": [2.0, 4.0, 9.0], "c": [3.0, 5.0, 7.0]}


def test_an_aim_is_met_on_its_own_side() -> None:
    assert Aim("x", 2.5).is_met(2.5)
    assert not Aim("x", 2.5).is_met(2.4)
    assert Aim("x", 0.6, is_most=True).is_met(0.6)
    assert not Aim("x", 0.6, is_most=True).is_met(0.61)


def test_a_rate_is_counted_from_the_first_commit_to_the_last_but_one() -> None:
    #   start ... 100 at 10 s | 300 at 11 s | 500 at 12 s | 510 at 17 s (a timer)
    commits = [Commit(10.0, 100, 3.0), Commit(11.0, 300, 3.4), Commit(12.0, 500, 3.8), Commit(17.0, 510, 3.9)]
    rate, used_us = steady(commits)
    assert rate == 200.0
    assert used_us == pytest.approx(2_000.0)


def test_the_loop_counts_ticks_into_minute_bars_and_skips_clocks() -> None:
    clock = Clock(source="simulator", event_ms=90_000, fetched_ms=91_000, since_ms=0)
    messages = [tick(60_000, 10.0, 100), tick(70_000, 10.5, 130), tick(119_999, 9.5, 150), tick(120_000, 9.9, 160)]
    bars: loop.Bars = {}
    changed: set[tuple[str, int]] = set()
    loop.fold([*messages, Message(clock.encode())], bars, changed)
    assert bars == {("A", 1): [10.0, 10.5, 9.5, 9.5, 100, 150, 3], ("A", 2): [9.9, 9.9, 9.9, 9.9, 160, 160, 1]}
    assert changed == set(bars)


def test_the_peers_read_the_wire_contract_by_its_own_names() -> None:
    """A renamed field would leave the peers with nothing to count."""
    record = orjson.loads(tick(60_000, 10.0, 100).payload)
    assert {"kind", "symbol", "event_ms", "price", "day_volume"} <= set(record)


def test_a_stock_run_has_the_jars_and_no_tuning(tmp_path: Path) -> None:
    tuned = tmp_path / "tuned"
    tuned.mkdir()
    lines = ["# why", "spark.master local[2]", "spark.sql.shuffle.partitions 2", "spark.jars /a.jar,/b.jar", ""]
    (tuned / "spark-defaults.conf").write_text("\n".join(lines))
    home = Home(tmp_path)
    home.conf.mkdir()
    folder = stock_conf(home, tuned)
    assert (folder / "spark-defaults.conf").read_text() == "spark.master local[2]\nspark.jars /a.jar,/b.jar\n"


def test_every_version_of_the_peer_s_environment_is_pinned() -> None:
    pins = [line for line in (HERE / "quix.txt").read_text().splitlines() if not line.startswith("#")]
    assert "quixstreams==3.28.0" in pins
    assert all(line.count("==") == 1 for line in pins)
