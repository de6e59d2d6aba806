"""The rules that every DAG of the platform keeps."""

import json
import time
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest

DAGS = Path(__file__).resolve().parents[3] / "dags"
pytestmark = pytest.mark.unit

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
# A row in Airflow's database a minute would be dear for what the poll's own status says anyway; a backfill ends when it ends.
WITHOUT_DEADLINE = {"poll", "backfill"}


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
        if dag.dag_id in WITHOUT_DEADLINE:
            continue
        [alert] = dag.deadline if isinstance(dag.deadline, list) else [dag.deadline]
        assert alert.callback.path == f"{missed.__module__}.{missed.__qualname__}", dag.dag_id
        assert timedelta(0) < alert.interval, dag.dag_id


def test_one_task_at_a_time_asks_the_provider_for_history(bag: Any) -> None:
    pools = json.loads((DAGS / "pools.json").read_text())
    asks = {"backfill", "gap_repair", "corporate_actions"}
    for dag in bag.dags.values():
        for task in dag.tasks:
            assert task.pool == ("history" if dag.dag_id in asks else "default_pool"), f"{dag.dag_id}.{task.task_id}"
    assert {name: pool["slots"] for name, pool in pools.items()} == {"history": 1}


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
    assert often == {"poll": "* * * * *", "stream_check": "*/5 * * * *", "gap_repair": "*/10 * * * *"}


def test_all_dags_can_be_written_down(bag: Any) -> None:
    from airflow.serialization.serialized_objects import DagSerialization

    for dag in bag.dags.values():
        assert DagSerialization.to_dict(dag)["dag"]["dag_id"] == dag.dag_id


def test_a_poll_asks_no_longer_than_it_may_run(bag: Any) -> None:
    from dags.poll import DEADLINE_S

    [task] = bag.dags["poll"].tasks
    assert timedelta(seconds=DEADLINE_S + 30) <= task.execution_timeout


def test_a_backfill_can_be_asked_for_symbols_and_timeframes(bag: Any) -> None:
    assert set(bag.dags["backfill"].params) == {"symbols", "timeframes", "since", "everything"}


def test_all_files_parse_within_a_second(bag: Any) -> None:
    # The fixture has paid for importing Airflow; what is left is what the dag-processor pays each time.
    from airflow.dag_processing.dagbag import DagBag

    started_s = time.process_time()
    DagBag(dag_folder=str(DAGS), collect_dags=True, load_op_links=False)
    assert time.process_time() - started_s < 1.0
