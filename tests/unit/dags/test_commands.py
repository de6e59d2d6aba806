import sys

import pytest

from dags.commands import backfill_command, poll_command

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
