"""The rules that every DAG of the platform keeps."""

import time
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest

DAGS = Path(__file__).resolve().parents[3] / "dags"
pytestmark = pytest.mark.unit


@pytest.fixture(scope="module")
def bag() -> Any:
    from airflow.dag_processing.dagbag import DagBag

    return DagBag(dag_folder=str(DAGS), collect_dags=True, load_op_links=False)


def test_all_files_import_and_hold_the_expected_dags(bag: Any) -> None:
    assert bag.import_errors == {}
    assert set(bag.dags) == {"poll", "backfill", "stream_check"}


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
