"""What the gap ledger says in the services' status, and that `status` asks for it by the names that the tasks write."""

from collections.abc import Sequence
from typing import Any

import pytest

from dags import deadlines
from ingestion import actions
from ingestion.errors import ProviderError, Throttled
from ingestion.gaps import repair
from ingestion.gaps.repair import Summary, say
from ingestion.history import backfill
from ingestion.poll import once as poll
from stack.report.words import TASKS

pytestmark = pytest.mark.unit


class Status:
    """PostgreSQL, as far as its status table goes."""

    def __init__(self) -> None:
        self.rows: list[Sequence[Any]] = []

    def run(self, statement: str, parameters: Sequence[Any]) -> list[Any]:
        assert "core.service_status" in statement
        self.rows.append(parameters)
        return []


@pytest.mark.parametrize(
    ("summary", "stopped", "state", "detail"),
    [
        (Summary(sessions=3), None, "ok", "3 sessions, minutes without a bar: none; 0 repaired, 0 open"),
        (
            Summary(sessions=3, missing={"our_outage": 7, "no_trade": 2}, repaired=6, still_open=1, to_confirm=5),
            None,
            "ok",
            "3 sessions, minutes without a bar: 2 no_trade, 7 our_outage; 6 repaired, 1 open, 5 to be confirmed",
        ),
        (
            Summary(sessions=1, quarantined=["AAPL (day, ticks)", "MSFT (split)"]),
            None,
            "ok",
            "1 sessions, minutes without a bar: none; 0 repaired, 0 open; in quarantine: AAPL (day, ticks), MSFT (split)",
        ),
        (
            Summary(error="the stream is 9 records behind: nothing was judged"),
            None,
            "waiting",
            "the stream is 9 records behind: nothing was judged; 0 sessions, minutes without a bar: none; 0 repaired, 0 open",
        ),
        (
            Summary(error="throttled, next try in 40 s", still_open=4),
            Throttled("throttled", 40.0),
            "throttled",
            "throttled, next try in 40 s; 0 sessions, minutes without a bar: none; 0 repaired, 4 open",
        ),
    ],
)
def test_the_ledger_says_what_it_found_did_and_doubts(
    summary: Summary, stopped: ProviderError | None, state: str, detail: str
) -> None:
    status: Any = Status()
    say(status, summary, stopped)
    assert status.rows == [("gaps", state, detail, False)]


def test_status_has_a_line_for_each_task_that_says_something() -> None:
    assert {poll.NAME, backfill.NAME, repair.NAME, actions.NAME, deadlines.NAME} == set(TASKS)
