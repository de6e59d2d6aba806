import sys
from datetime import UTC, datetime

import pytest

from dags.commands import (
    actions_command,
    backfill_command,
    day_of,
    end_of_span,
    ledger_command,
    poll_command,
    replay_command,
)

pytestmark = pytest.mark.unit


def test_a_poll_runs_with_the_interpreter_of_the_task() -> None:
    assert poll_command(40) == [sys.executable, "-m", "ingestion", "poll", "--deadline", "40"]


@pytest.mark.parametrize(
    ("now", "until"),
    [
        ("14:30:00", "14:45:00"),
        ("14:30:08", "14:45:00"),
        # A retry has what is left of the span.
        ("14:40:00", "14:45:00"),
        # With too little of it left, and by a clock that runs behind the scheduler's, the next span is its own as well.
        ("14:44:30", "15:00:00"),
        ("14:29:59", "14:45:00"),
    ],
)
def test_a_poller_ends_as_the_next_run_begins(now: str, until: str) -> None:
    def at(clock: str) -> datetime:
        return datetime.fromisoformat(f"2026-11-18T{clock}+00:00")

    assert end_of_span(at(now), 15) == at(until)


@pytest.mark.parametrize(
    ("arguments", "options"),
    [
        ({}, []),
        ({"symbols": [], "timeframes": []}, []),
        ({"symbols": None, "timeframes": None}, []),
        ({"symbols": ["AAPL", "MSFT"]}, ["--symbols", "AAPL,MSFT"]),
        ({"timeframes": ["1d"], "everything": True}, ["--timeframes", "1d", "--all"]),
        ({"since": "2026-01-01"}, ["--since", "2026-01-01"]),
        ({"since": "2026-01-01", "until": "2026-01-03"}, ["--since", "2026-01-01", "--until", "2026-01-03"]),
    ],
)
def test_a_backfill_has_an_option_for_each_parameter_that_is_given(arguments: dict, options: list[str]) -> None:
    assert backfill_command(**arguments)[3:] == ["backfill", *options]


@pytest.mark.slow
@pytest.mark.parametrize(
    ("run_type", "day"),
    [
        ("backfill", "2026-11-20"),
        # Their date is when they were due or triggered, and says nothing of history.
        ("scheduled", None),
        ("manual", None),
    ],
)
def test_a_run_of_airflows_own_backfill_is_for_its_day(run_type: str, day: str | None) -> None:
    from airflow.sdk.api.datamodels._generated import DagRunType

    # As a task is given it: an enumeration whose words are not its values.
    assert day_of(DagRunType(run_type), datetime(2026, 11, 20, tzinfo=UTC)) == day
    assert day_of(run_type, None) is None


def test_the_command_line_is_one_that_ingestion_understands() -> None:
    from ingestion.__main__ import parser

    parsed = parser().parse_args(backfill_command(["AAPL"], ["1d"], "2026-01-01", True, "2026-01-03")[3:])
    assert parsed.until.day == 3
    assert (parsed.symbols, parsed.timeframes, parsed.since.year, parsed.everything) == (["AAPL"], ["1d"], 2026, True)
    parsed = parser().parse_args(poll_command(40)[3:])
    assert (parsed.deadline, parsed.until, parsed.symbols) == (40, None, None)
    until = datetime(2026, 11, 18, 14, 45, tzinfo=UTC)
    parsed = parser().parse_args(poll_command(40, until, ["AAPL"])[3:])
    assert (parsed.until, parsed.symbols) == (until, ["AAPL"])
    assert parser().parse_args(ledger_command(480)[3:]).deadline == 480
    parsed = parser().parse_args(ledger_command(480, ["AAPL"], True)[3:])
    assert (parsed.symbols, parsed.everything) == (["AAPL"], True)
    assert parser().parse_args(actions_command(120, ["AAPL"])[3:]).days == 120
    parsed = parser().parse_args(replay_command()[3:])
    assert (parsed.mendable, parsed.ids, parsed.json) == (True, [], True)
    parsed = parser().parse_args(replay_command([3, 4], "AAPL", "bad_price")[3:])
    assert (parsed.ids, parsed.symbol, parsed.reason, parsed.mendable) == ([3, 4], "AAPL", "bad_price", False)
