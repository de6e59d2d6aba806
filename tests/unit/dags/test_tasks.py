"""What tasks do besides starting a command; the database and the commands are stand-ins."""

from datetime import UTC, datetime
from types import SimpleNamespace
from typing import Any

import pytest

from dags.checks import Complaint, Observation
from dags.failures import QualityTooLow, StandsStill

# Airflow takes five seconds to be imported.
pytestmark = [pytest.mark.unit, pytest.mark.slow]


def task_of(module: Any, dag: str) -> Any:
    [task] = getattr(module, dag)().tasks
    return task.python_callable


@pytest.fixture
def check(monkeypatch: pytest.MonkeyPatch) -> Any:
    """`stream_check`'s task on a complaint, at an attempt: what it raises or gives, and what was ordered."""
    from dags import stream_check

    monkeypatch.setenv("CANDLESTREAM_DATABASE_URL", "postgresql:///none")
    monkeypatch.setattr("dags.deadlines.forget", lambda _url: None)
    monkeypatch.setattr("dags.checks.read", lambda _url: Observation({}, 3.25, 1.5))
    ordered: list[str] = []

    def run(wrong: Complaint | None, attempt: int, is_taken: bool = True) -> tuple[Any, list[str]]:
        monkeypatch.setattr("dags.checks.complaint", lambda _seen: wrong)

        def order(_url: str, complaint: Complaint) -> bool:
            ordered.append(complaint.service)
            return is_taken

        monkeypatch.setattr("dags.checks.order_restart", order)
        try:
            return task_of(stream_check, "stream_check")(ti=SimpleNamespace(try_number=attempt)), ordered
        except StandsStill as error:
            return str(error), ordered

    return run


STILL = Complaint("spark", "its last commit was 700 s ago", restart_helps=True)


def test_a_stream_that_moves_is_told_in_numbers(check: Any) -> None:
    assert check(None, 1) == ({"last_commit_s": 3.2, "behind_s": 1.5}, [])


@pytest.mark.parametrize(
    ("wrong", "attempt", "is_taken", "said", "ordered"),
    [
        # It may move again until the next try.
        (STILL, 1, True, STILL.sentence, []),
        (STILL, 2, True, f"{STILL.sentence}; a restart of spark was ordered", ["spark"]),
        # One was ordered a short while ago.
        (STILL, 2, False, STILL.sentence, ["spark"]),
        (Complaint("spark", "it waits for PostgreSQL"), 2, True, "it waits for PostgreSQL", []),
    ],
)
def test_a_restart_is_ordered_by_the_last_try_alone_and_where_it_helps(
    check: Any, wrong: Complaint, attempt: int, is_taken: bool, said: str, ordered: list[str]
) -> None:
    assert check(wrong, attempt, is_taken) == (said, ordered)


@pytest.mark.parametrize(
    ("run_type", "without", "params", "options"),
    [
        ("scheduled", ["MSFT"], {}, ["--symbols", "MSFT"]),
        # At the first start nothing is tracked yet: the command tracks what is configured.
        ("scheduled", None, {}, []),
        ("manual", ["MSFT"], {"symbols": ["AAPL"]}, ["--symbols", "AAPL"]),
        ("backfill", ["MSFT"], {"timeframes": ["1m"]}, ["--timeframes", "1m", "--since", "2026-11-20", "--until", "2026-11-20"]),
        ("backfill", [], {"since": "2026-11-01"}, ["--since", "2026-11-01", "--until", "2026-11-20"]),
    ],
)  # fmt: skip
def test_a_backfill_fetches_for_whom_it_was_started(
    monkeypatch: pytest.MonkeyPatch,
    run_type: str,
    without: list[str] | None,
    params: dict[str, Any],
    options: list[str],
) -> None:
    from dags import backfill

    monkeypatch.setattr("dags.history.without_history", lambda: without)
    monkeypatch.setattr("dags.running.run", lambda command: {"command": command[4:]})
    run = SimpleNamespace(run_type=run_type, logical_date=datetime(2026, 11, 20, tzinfo=UTC))
    assert task_of(backfill, "backfill")(params=params, dag_run=run) == {"command": options}


def test_a_scheduled_backfill_for_nobody_is_skipped_and_nothing_runs(monkeypatch: pytest.MonkeyPatch) -> None:
    from airflow.sdk.exceptions import AirflowSkipException

    from dags import backfill

    monkeypatch.setattr("dags.history.without_history", list)
    monkeypatch.setattr("dags.running.run", lambda _: pytest.fail("it ran"))
    with pytest.raises(AirflowSkipException, match="every tracked symbol has its history"):
        task_of(backfill, "backfill")(params={}, dag_run=SimpleNamespace(run_type="scheduled", logical_date=None))


def test_without_a_session_that_closed_nothing_waits_for_a_report(monkeypatch: pytest.MonkeyPatch) -> None:
    """A skipped task updates no asset."""
    from airflow.sdk.exceptions import AirflowSkipException

    from dags import session_report

    made: dict[str, dict[str, object]] = {}
    monkeypatch.setattr("dags.reports.report", lambda: made)
    with pytest.raises(AirflowSkipException):
        task_of(session_report, "session_report")()
    made["XNYS 2026-11-24"] = {"symbols": 5}
    assert task_of(session_report, "session_report")() == {"sessions": made}


def test_the_gate_fails_below_its_threshold_and_says_how_good_the_rest_is(monkeypatch: pytest.MonkeyPatch) -> None:
    from dags import quality_gate

    found = [("AAPL", "2026-11-24", "timeliness", 92.5, 100.0)]
    monkeypatch.setattr("dags.reports.scores", lambda days: found * days)
    judge = task_of(quality_gate, "quality_gate")
    assert judge(params={}) == {"sessions": 2, "lowest": 92.5}
    with pytest.raises(QualityTooLow, match="3 of 3 sessions are below 95"):
        judge(params={"threshold": 95, "days": 3})


def test_what_is_deleted_is_of_the_days_that_were_chosen_for_it(monkeypatch: pytest.MonkeyPatch) -> None:
    from dags import maintenance

    given: list[tuple[int, ...]] = []
    monkeypatch.setattr("dags.upkeep.delete_old_rows", lambda *days: given.append(days) or {})
    dag = maintenance.maintenance()
    delete = dag.get_task("delete_old_rows")
    assert delete.upstream_task_ids == {"make_partitions"}
    delete.python_callable(params={"ledger_days": 3, "letter_days": 1, "revision_days": 2})
    assert given == [(1, 2, 3)]
