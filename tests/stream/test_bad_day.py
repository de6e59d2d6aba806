"""Everything goes wrong over a half-day and a change of the clocks, and the tables end as those of a day without trouble."""

import tomllib

import pytest

from simulator.faults.kinds import described
from simulator.faults.scenario import scenario_of
from stack.chaos.parts import Parts
from tests.stream.bad_day.day import FOLDER, SYMBOLS, Act, Day, Script, ms, unexplained
from tests.stream.bad_day.everything import scenario

pytestmark = pytest.mark.stream

# Stockholm closes at 13:00 on the Thursday before Easter; on Sunday the clocks change; Tuesday's session is an hour earlier by UTC.
HALF_DAY = (ms("2024-03-28T09:00:00+01:00"), ms("2024-03-28T13:00:00+01:00"))
AFTER_THE_CHANGE = (ms("2024-04-02T09:00:00+02:00"), ms("2024-04-02T17:30:00+02:00"))
SESSIONS = (HALF_DAY, AFTER_THE_CHANGE)

SHORT = Script(
    speed=100,
    ticks_per_second=0.1,
    windows=(
        ("2024-03-28T12:28:00+01:00", "2024-03-28T13:05:00+01:00"),
        ("2024-04-02T08:58:00+02:00", "2024-04-02T09:20:00+02:00"),
        ("2024-04-02T20:35:00+02:00", "2024-04-02T23:00:00+02:00"),
    ),
    faults=(FOLDER / "short.toml").read_text(),
    acts=(
        Act("2024-03-28T12:30:00+01:00", "poll"),
        Act("2024-03-28T12:46:00+01:00", "poll"),
        Act("2024-03-28T12:47:00+01:00", "kill the ingester", only_disturbed=True),
        Act("2024-03-28T12:52:00+01:00", "start the ingester", only_disturbed=True),
        Act("2024-03-28T13:02:00+01:00", "poll"),
        Act("2024-04-02T09:03:00+02:00", "poll"),
    ),
)

LONG_WINDOWS = (
    ("2024-03-28T10:58:00+01:00", "2024-03-28T13:05:00+01:00"),
    ("2024-04-02T08:58:00+02:00", "2024-04-02T10:30:00+02:00"),
)
# Killed and started in both sessions, the ingester over the bell of the half-day too.
LONG = Script(
    speed=20,
    ticks_per_second=0.2,
    windows=(*LONG_WINDOWS, ("2024-04-02T20:35:00+02:00", "2024-04-02T23:00:00+02:00")),
    faults=scenario(LONG_WINDOWS),
    acts=(
        Act("2024-03-28T10:59:00+01:00", "start the scheduler"),
        Act("2024-03-28T11:30:00+01:00", "kill the scheduler", only_disturbed=True),
        Act("2024-03-28T11:50:00+01:00", "kill the ingester", only_disturbed=True),
        Act("2024-03-28T12:00:00+01:00", "start the ingester", only_disturbed=True),
        Act("2024-03-28T12:15:00+01:00", "start the scheduler", only_disturbed=True),
        Act("2024-03-28T12:55:00+01:00", "kill the ingester", only_disturbed=True),
        Act("2024-03-28T13:03:00+01:00", "start the ingester", only_disturbed=True),
        Act("2024-04-02T09:10:00+02:00", "kill the scheduler", only_disturbed=True),
        Act("2024-04-02T09:20:00+02:00", "kill the ingester", only_disturbed=True),
        Act("2024-04-02T09:25:00+02:00", "start the ingester", only_disturbed=True),
        Act("2024-04-02T09:40:00+02:00", "start the scheduler", only_disturbed=True),
    ),
)


def test_the_long_day_has_every_kind_of_fault():
    text = (FOLDER / "market.toml").read_text() + LONG.faults
    assert {fault.kind for fault in scenario_of(tomllib.loads(text)).faults} == {kind["kind"] for kind in described()}


def assert_as_undisturbed(day: Day) -> None:
    tables = day.differences()
    assert {table.name: table.rows for table in tables if not table.rows} == {}, "nothing to compare"
    different = [f"{table.name}: {example}" for table in tables if not table.is_equal for example in table.examples]
    assert not different, "\n".join(["the disturbed day instead of the undisturbed one", *different])
    assert unexplained(day.disturbed, SESSIONS, SYMBOLS) == []


def ends_well(script: Script, parts: Parts) -> None:
    day = Day(script, parts)
    try:
        day.run()
    finally:
        print(day.story())  # noqa: T201  (shown when it fails)
    assert_as_undisturbed(day)


@pytest.mark.long
@pytest.mark.timeout(1800)  # minutes of wall time: the windows at a hundredfold, and two whole days to settle
def test_a_bad_half_day_in_short_ends_as_an_undisturbed_one(chaos_parts: Parts) -> None:
    ends_well(SHORT, chaos_parts)


@pytest.mark.long
@pytest.mark.timeout(3600)
def test_the_whole_fault_table_over_two_sessions_ends_as_an_undisturbed_day(chaos_parts: Parts) -> None:
    ends_well(LONG, chaos_parts)
