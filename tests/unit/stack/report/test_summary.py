"""What a person reads at the end of `up` and from `status`."""

from pathlib import Path

import pytest
from psycopg2.extensions import parse_dsn
from rich.console import Console

from stack import state
from stack.home import Home
from stack.ports import PREFERRED
from stack.report.status import account
from stack.report.summary import ago, tell_ready, tell_status
from stack.report.words import POLL_PATIENCE_S, words
from stack.state import State

pytestmark = pytest.mark.unit


@pytest.fixture
def home(tmp_path: Path) -> Home:
    made = Home(tmp_path / "my clone, 50% of O'Neil & Co")
    made.prepare()
    state.save(made, State(source="simulator", ports=PREFERRED))
    return made


def test_the_psql_line_works_in_a_folder_of_any_name(home: Home) -> None:
    console = Console(record=True, width=400)
    tell_ready(console, home, State(source="simulator", ports=PREFERRED), account(home))
    [line] = [line for line in console.export_text().splitlines() if line.split()[:1] == ["psql"]]
    assert parse_dsn(line.split("'")[1])["passfile"] == str(home.pgpass)


def test_what_a_task_said_is_told_with_its_age(home: Home) -> None:
    console = Console(record=True, width=400)
    body = account(home) | {"tasks": {"poll": words("poll", "ok", "5 symbols", 12.3)}}
    tell_status(console, body)
    assert "poll       ok         5 symbols (said 12 s ago)" in console.export_text()


@pytest.mark.parametrize(
    ("name", "age_s", "state_told"),
    [("poll", POLL_PATIENCE_S, "ok"), ("poll", POLL_PATIENCE_S + 1, "silent"), ("gaps", 86_400.0, "ok")],
)
def test_a_poll_that_has_said_nothing_for_minutes_is_silent(name: str, age_s: float, state_told: str) -> None:
    assert words(name, "ok", "", age_s)["state"] == state_told


@pytest.mark.parametrize(("age_s", "told"), [(119.4, "119 s"), (125.0, "2 min"), (7300.0, "2 h")])
def test_an_age_is_told_in_a_unit_of_its_size(age_s: float, told: str) -> None:
    assert ago(age_s) == told
