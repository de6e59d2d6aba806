import sys

import pytest

from dags.commands import actions_command, backfill_command, ledger_command, poll_command, replay_command

pytestmark = pytest.mark.unit


def test_a_poll_runs_with_the_interpreter_of_the_task() -> None:
    assert poll_command(40) == [sys.executable, "-m", "ingestion", "poll", "--deadline", "40"]


@pytest.mark.parametrize(
    ("arguments", "options"),
    [
        ({}, []),
        ({"symbols": [], "timeframes": []}, []),
        ({"symbols": ["AAPL", "MSFT"]}, ["--symbols", "AAPL,MSFT"]),
        ({"timeframes": ["1d"], "everything": True}, ["--timeframes", "1d", "--all"]),
        ({"since": "2026-01-01"}, ["--since", "2026-01-01"]),
    ],
)
def test_a_backfill_has_an_option_for_each_parameter_that_is_given(arguments: dict, options: list[str]) -> None:
    assert backfill_command(**arguments)[3:] == ["backfill", *options]


def test_the_command_line_is_one_that_ingestion_understands() -> None:
    from ingestion.__main__ import parser

    parsed = parser().parse_args(backfill_command(["AAPL"], ["1d"], "2026-01-01", True)[3:])
    assert (parsed.symbols, parsed.timeframes, parsed.since.year, parsed.everything) == (["AAPL"], ["1d"], 2026, True)
    assert parser().parse_args(poll_command(40)[3:]).deadline == 40
    assert parser().parse_args(ledger_command(480)[3:]).deadline == 480
    parsed = parser().parse_args(ledger_command(480, ["AAPL"], True)[3:])
    assert (parsed.symbols, parsed.everything) == (["AAPL"], True)
    assert parser().parse_args(actions_command(120, ["AAPL"])[3:]).days == 120
    parsed = parser().parse_args(replay_command()[3:])
    assert (parsed.mendable, parsed.ids, parsed.json) == (True, [], True)
    parsed = parser().parse_args(replay_command([3, 4], "AAPL", "bad_price")[3:])
    assert (parsed.ids, parsed.symbol, parsed.reason, parsed.mendable) == ([3, 4], "AAPL", "bad_price", False)
