"""The rules that every DAG of the platform keeps."""

import ast
import json
import tempfile
import time
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from stack.ports import PREFERRED

DAGS = Path(__file__).resolve().parents[3] / "dags"
# Airflow takes five seconds to be imported.
pytestmark = [pytest.mark.unit, pytest.mark.slow]

EXPECTED = {
    "poll",
    "backfill",
    "gap_repair",
    "session_report",
    "quality_gate",
    "corporate_actions",
    "dead_letter_replay",
    "stream_check",
    "maintenance",
}
# What asks the provider, and the pool in which it does.
ASKS = {"poll": "minutes", "backfill": "history", "gap_repair": "repair", "corporate_actions": "history"}


@pytest.fixture(scope="module")
def bag() -> Any:
    from airflow.dag_processing.dagbag import DagBag

    return DagBag(dag_folder=str(DAGS), collect_dags=True, load_op_links=False)


def test_all_files_import_and_hold_the_expected_dags(bag: Any) -> None:
    assert bag.import_errors == {}
    assert set(bag.dags) == EXPECTED


def test_each_dag_has_an_owner_tags_a_text_and_starts_unpaused(bag: Any) -> None:
    for dag in bag.dags.values():
        assert dag.default_args["owner"] == "candlestream", dag.dag_id
        assert dag.tags, dag.dag_id
        assert dag.description, dag.dag_id
        assert dag.doc_md, dag.dag_id
        assert dag.is_paused_upon_creation is False, dag.dag_id


def test_no_dag_catches_up_or_runs_beside_itself(bag: Any) -> None:
    for dag in bag.dags.values():
        assert dag.catchup is False, dag.dag_id
        assert dag.max_active_runs == 1, dag.dag_id
        assert dag.dagrun_timeout, dag.dag_id


def test_each_task_ends_and_is_retried(bag: Any) -> None:
    for dag in bag.dags.values():
        for task in dag.tasks:
            assert task.execution_timeout, f"{dag.dag_id}.{task.task_id}"
            assert task.retries >= 1, f"{dag.dag_id}.{task.task_id}"
            assert task.execution_timeout < dag.dagrun_timeout, f"{dag.dag_id}.{task.task_id}"


def test_what_is_late_is_told(bag: Any) -> None:
    from dags.deadlines import missed

    for dag in bag.dags.values():
        [alert] = dag.deadline if isinstance(dag.deadline, list) else [dag.deadline]
        assert alert.callback.path == f"{missed.__module__}.{missed.__qualname__}", dag.dag_id
        assert max(task.execution_timeout for task in dag.tasks) < alert.interval, dag.dag_id


def test_one_task_at_a_time_asks_the_provider_for_history_and_one_polls(bag: Any) -> None:
    pools = json.loads((DAGS / "pools.json").read_text())
    for dag in bag.dags.values():
        for task in dag.tasks:
            assert task.pool == ASKS.get(dag.dag_id, "default_pool"), f"{dag.dag_id}.{task.task_id}"
    assert {name: pool["slots"] for name, pool in pools.items()} == {"history": 1, "repair": 1, "minutes": 1}


def test_the_poller_the_ledger_and_a_backfill_leave_a_place_to_what_looks_after_the_stream() -> None:
    from stack.home import Home
    from stack.parts.airflow import environment

    pools = json.loads((DAGS / "pools.json").read_text())
    home = Home(Path(tempfile.mkdtemp()))
    home.prepare()
    at_a_time = int(environment(home, PREFERRED)["AIRFLOW__CORE__PARALLELISM"])
    assert at_a_time > sum(pool["slots"] for pool in pools.values())


def test_each_failure_is_retried_by_what_failed(bag: Any) -> None:
    from airflow.sdk import ExceptionRetryPolicy, RetryAction

    from dags import failures

    for dag in bag.dags.values():
        for task in dag.tasks:
            policy = task.retry_policy
            assert isinstance(policy, ExceptionRetryPolicy), f"{dag.dag_id}.{task.task_id}"
            for kind in (failures.BadConfiguration, failures.NoSuchSymbol, failures.QualityTooLow):
                decision = policy.evaluate(kind("no"), 1, task.retries)
                assert decision.action is RetryAction.FAIL, f"{dag.dag_id}.{task.task_id}: {kind.__name__}"
            away = policy.evaluate(failures.PartAway("PostgreSQL cannot be used"), 1, task.retries)
            assert away.action is RetryAction.RETRY, f"{dag.dag_id}.{task.task_id}"
            assert away.retry_delay, f"{dag.dag_id}.{task.task_id}"


# Minutes until the next try where the provider throttles, and where it fails; None: the next run asks.
PROVIDER_RETRIES = {
    "backfill": (15.0, 1 / 6),
    "corporate_actions": (15.0, 1 / 6),
    "poll": (None, None),
    # The others ask the provider briefly or not at all.
    "gap_repair": (None, 1 / 6),
}


def test_a_provider_that_refuses_is_waited_for_by_who_runs_seldom_and_left_alone_by_who_runs_soon(bag: Any) -> None:
    from airflow.sdk import RetryAction

    from dags import failures

    for dag in bag.dags.values():
        throttled, failed = PROVIDER_RETRIES.get(dag.dag_id, (None, 1 / 6))
        for task in dag.tasks:
            for kind, minutes in ((failures.Throttled, throttled), (failures.ProviderFailed, failed)):
                decision = task.retry_policy.evaluate(kind("no"), 1, task.retries)
                expected = (
                    (RetryAction.FAIL, None) if minutes is None else (RetryAction.RETRY, timedelta(minutes=minutes))
                )
                assert (decision.action, decision.retry_delay) == expected, f"{dag.dag_id}: {kind.__name__}"


def test_the_sentence_of_a_failure_says_which_class_of_error_it_was() -> None:
    from dags import failures

    for name in set(failures.BY_EXIT_CODE.values()):
        assert issubclass(name, failures.CommandFailed)


def test_what_waits_for_the_ledger_is_started_by_it_and_not_by_the_clock(bag: Any) -> None:
    def outlets(dag_id: str) -> set[str]:
        return {asset.name for task in bag.dags[dag_id].tasks for asset in task.outlets}

    def inlets(dag_id: str) -> set[str]:
        return {asset.name for asset in bag.dags[dag_id].schedule}

    assert outlets("gap_repair") == inlets("session_report") == {"ledger"}
    assert outlets("session_report") == inlets("quality_gate") == {"sessions"}


def test_the_platform_rests_between_schedules(bag: Any) -> None:
    crons = {dag.dag_id: dag.schedule for dag in bag.dags.values() if isinstance(dag.schedule, str)}
    often = {dag_id: cron for dag_id, cron in crons.items() if cron.startswith("*")}
    assert often == {"poll": "*/15 * * * *", "stream_check": "*/5 * * * *", "gap_repair": "*/10 * * * *"}


def test_all_dags_can_be_written_down(bag: Any) -> None:
    from airflow.serialization.serialized_objects import DagSerialization

    for dag in bag.dags.values():
        assert DagSerialization.to_dict(dag)["dag"]["dag_id"] == dag.dag_id


def test_a_poller_ends_by_itself_before_it_is_ended_and_as_the_next_run_is_due(bag: Any) -> None:
    from dags.poll import DEADLINE_S, SPAN_MINUTES

    [task] = bag.dags["poll"].tasks
    assert bag.dags["poll"].schedule == f"*/{SPAN_MINUTES} * * * *"
    assert timedelta(minutes=SPAN_MINUTES, seconds=DEADLINE_S + 30) <= task.execution_timeout


def test_a_backfill_can_be_asked_for_symbols_and_timeframes(bag: Any) -> None:
    params = bag.dags["backfill"].params
    assert set(params) == {"symbols", "timeframes", "since", "until", "everything"}
    assert {name for name in params if "null" not in params.get_param(name).schema["type"]} == {"everything"}


def test_airflows_own_backfill_makes_a_run_for_each_day_and_takes_parameters(bag: Any) -> None:
    from airflow.models.backfill import InvalidBackfillConf, _get_info_list, _validate_backfill_params
    from airflow.serialization.serialized_objects import DagSerialization

    dag = DagSerialization.from_dict(DagSerialization.to_dict(bag.dags["backfill"]))
    assert dag.timetable.periodic, "Airflow refuses to backfill what has no period"
    first, last = datetime(2026, 3, 2, tzinfo=UTC), datetime(2026, 3, 4, tzinfo=UTC)
    runs = _get_info_list(from_date=first, to_date=last, reverse=False, dag=dag)
    assert [one.logical_date for one in runs] == [first, first + timedelta(days=1), last]
    _validate_backfill_params(dag, False, first, last, None, {"symbols": ["AAPL"], "timeframes": ["1d"]})
    with pytest.raises(InvalidBackfillConf, match="7m"):
        _validate_backfill_params(dag, False, first, last, None, {"timeframes": ["7m"]})


def test_parameters_are_typed_and_have_titles_for_the_form_in_the_ui(bag: Any) -> None:
    for dag in bag.dags.values():
        # Raises where a default is not valid.
        dag.params.validate()
        for name in dag.params:
            schema = dag.params.get_param(name).schema
            assert schema.get("type"), f"{dag.dag_id}.{name}"
            assert schema.get("title"), f"{dag.dag_id}.{name}"


def test_a_dag_file_imports_airflow_and_what_all_dags_share_and_nothing_else() -> None:
    """What it imports is paid each time it is parsed; the work's own imports stand in the tasks."""
    shared = {"dags.policy", "dags.commands", "datetime", "typing", "collections.abc", "airflow.sdk"}
    for path in sorted(DAGS.glob("*.py")):
        tree = ast.parse(path.read_text())
        if not any(isinstance(node, ast.FunctionDef) and is_dag(node) for node in tree.body):
            continue
        imported = {node.module for node in tree.body if isinstance(node, ast.ImportFrom)}
        imported |= {alias.name for node in tree.body if isinstance(node, ast.Import) for alias in node.names}
        assert imported <= shared, path.name
        # Besides names of constants, only the DAG's own function is called.
        calls = [node.value for node in tree.body if isinstance(node, ast.Expr) and isinstance(node.value, ast.Call)]
        assert [ast.unparse(call) for call in calls] == [f"{path.stem}()"], path.name


def test_only_files_that_declare_a_dag_are_parsed_for_one() -> None:
    ignored = set((DAGS / ".airflowignore").read_text().split())
    declaring = {
        path.name
        for path in DAGS.glob("*.py")
        if any(isinstance(node, ast.FunctionDef) and is_dag(node) for node in ast.parse(path.read_text()).body)
    }
    assert ignored | declaring == {path.name for path in DAGS.glob("*.py")} - {"__init__.py"}
    assert not ignored & declaring


def is_dag(function: ast.FunctionDef) -> bool:
    return any(ast.unparse(decorator).startswith("dag(") for decorator in function.decorator_list)


def test_each_task_gives_back_what_it_did_or_raises(bag: Any) -> None:
    """Airflow logs and keeps what a task returns: the numbers of its work."""
    for dag in bag.dags.values():
        for task in dag.tasks:
            returned = task.python_callable.__annotations__["return"]
            assert "dict[str, object]" in str(returned), f"{dag.dag_id}.{task.task_id}"


def test_all_files_parse_within_a_second(bag: Any) -> None:
    # The fixture has paid for importing Airflow; what is left is what the dag-processor pays each time.
    from airflow.dag_processing.dagbag import DagBag

    started_s = time.process_time()
    DagBag(dag_folder=str(DAGS), collect_dags=True, load_op_links=False)
    assert time.process_time() - started_s < 1.0
