"""Scenario files, and the schedule that they are resolved to."""

from pathlib import Path

import pytest
from pydantic import ValidationError

from simulator.faults.base import FOREVER_MS
from simulator.faults.kinds import described, read_fault
from simulator.faults.requests import HttpFault
from simulator.faults.scenario import BadScenario, read_scenario, scenario_of
from simulator.faults.schedule import Schedule, UnknownFault
from tests.unit.simulator.conftest import ms

BAD_MORNING = """
name = "bad morning"
starts = 2026-11-27T14:30:00Z

[[fault]]
kind = "throttle"
at = "+10m"
for = "2m"
retry_after_s = 30

[[fault]]
kind = "halt"
symbols = ["AAPL"]
at = 2026-11-27T11:00:00-05:00
for = "5m"
"""
# What each kind needs beside its name.
NEEDED = {"clock_skew": {"skew_s": -3.0}, "dividend": {"amount": 0.25}, "request_budget": {"per_minute": 5}}


def written(tmp_path: Path, text: str) -> Path:
    path = tmp_path / "scenario.toml"
    path.write_text(text)
    return path


def test_relative_times_count_from_the_scenarios_start(tmp_path: Path):
    scenario = read_scenario(written(tmp_path, BAD_MORNING))
    schedule = Schedule()
    throttle, halt = schedule.add(scenario.faults, scenario.start_ms(now_ms=5))
    assert (throttle.from_ms, throttle.to_ms) == (ms("2026-11-27T14:40:00+00:00"), ms("2026-11-27T14:42:00+00:00"))
    assert (halt.from_ms, halt.to_ms) == (ms("2026-11-27T16:00:00+00:00"), ms("2026-11-27T16:05:00+00:00"))
    assert halt.concerns("AAPL")
    assert not halt.concerns("MSFT")


def test_without_a_start_it_is_when_the_scenario_is_loaded():
    scenario = scenario_of({"fault": [{"kind": "hang", "at": "+1m"}]})
    (hang,) = Schedule().add(scenario.faults, scenario.start_ms(now_ms=1_000_000))
    assert (hang.from_ms, hang.to_ms) == (1_060_000, FOREVER_MS)


@pytest.mark.parametrize(
    ("text", "complaint"),
    [
        ("[[fault]]\nkind = 'flood'", "does not match any of the expected tags"),
        ("[[fault]]\nkind = 'hang'\nlonger = 5", "fault.0.hang.longer: Extra inputs are not permitted"),
        ("[[fault]]\nkind = 'hang'\nfor = 'long'", "fault.0.hang.for: Value error, 'long' is not a length"),
        ("[[fault]]\nkind = 'hang'\nat = 2026-11-27T11:00:00", "has no offset from UTC"),
        ("[[fault]]\nkind = 'server_error'\nstatus = 404", "greater than or equal to 500"),
        ("name = 'nothing'", "fault: Field required"),
        ("[[fault]\n", "scenario.toml: "),
    ],
)
def test_what_is_wrong_with_a_file_is_said_with_its_place(tmp_path: Path, text: str, complaint: str):
    with pytest.raises(BadScenario) as refused:
        read_scenario(written(tmp_path, text))
    assert complaint in str(refused.value)


def test_every_kind_that_the_exchange_needs_is_there():
    assert {each["kind"] for each in described()} == {
        "throttle",
        "request_budget",
        "bad_crumb",
        "server_error",
        "html",
        "hang",
        "slow_drip",
        "cut",
        "truncated",
        "null",
        "short_arrays",
        "wrong_time_zone",
        "missing_minutes",
        "corrected_bars",
        "clock_skew",
        "duplicate_ticks",
        "out_of_order_ticks",
        "volume_reset",
        "bad_prices",
        "feed_silence",
        "feed_garbage",
        "feed_close",
        "feed_abort",
        "halt",
        "early_close",
        "auction_print",
        "split",
        "dividend",
    }


def test_a_restart_finds_every_kind_as_it_was(tmp_path: Path):
    path = tmp_path / "faults.json"
    before = Schedule(path)
    faults = [read_fault({"kind": each["kind"], **NEEDED.get(each["kind"], {})}) for each in described()]
    before.add(faults, start_ms=1_773_244_800_000)
    assert Schedule(path).listed(0) == before.listed(0)


def test_stored_faults_that_cannot_be_read_do_not_stop_the_exchange(tmp_path: Path):
    path = tmp_path / "faults.json"
    path.write_text('[{"name": "x", "fault": {"kind": "flood"}}]')
    assert Schedule(path).listed(0) == []
    assert path.read_text().startswith("[{")


def test_a_fault_ends_when_it_is_switched_off_and_its_past_stays():
    schedule = Schedule()
    schedule.add([read_fault({"kind": "halt"}), read_fault({"kind": "hang", "at": "+1h"})], start_ms=1_000)
    schedule.end("halt", now_ms=5_000)
    schedule.end("hang", now_ms=5_000)
    (halt,) = schedule.listed(5_000)
    assert (halt["name"], halt["state"], halt["to"]) == ("halt", "over", "1970-01-01T00:00:05+00:00")
    with pytest.raises(UnknownFault):
        schedule.end("hang", now_ms=5_000)


def test_two_of_a_kind_have_two_names():
    schedule = Schedule()
    schedule.add([read_fault({"kind": "html"})] * 2, start_ms=0)
    assert [each["name"] for each in schedule.listed(0)] == ["html", "html-2"]


def test_what_is_over_is_not_asked_again():
    schedule = Schedule()
    schedule.add([read_fault({"kind": "html", "for": "5s"})], start_ms=1_000)
    assert [len(schedule.reaching(HttpFault, at)) for at in (999, 1_000, 5_999, 6_000)] == [0, 1, 1, 0]


def test_a_fault_cannot_be_changed():
    with pytest.raises(ValidationError):
        read_fault({"kind": "html"}).share = 0.5
