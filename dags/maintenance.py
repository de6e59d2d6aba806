"""Every night: partitions of the coming months are made, and what has had its time is deleted."""

from datetime import timedelta
from typing import Any

from airflow.sdk import Param, dag, task

from dags.policy import OWNER, START, deadline, retry_policy


@dag(
    dag_id="maintenance",
    description="Partitions ahead, retention behind",
    schedule="40 4 * * *",
    start_date=START,
    catchup=False,
    max_active_runs=1,
    dagrun_timeout=timedelta(hours=1),
    deadline=deadline(timedelta(minutes=45)),
    is_paused_upon_creation=False,
    default_args={"owner": OWNER},
    tags=["maintenance"],
    doc_md=__doc__,
    params={
        "letter_days": Param(90, type="integer", minimum=1, title="Days that dead letters are kept"),
        "revision_days": Param(
            365, type="integer", minimum=1, title="Days that superseded bars are kept, and when they were committed"
        ),
        "ledger_days": Param(730, type="integer", minimum=30, title="Days that the gap ledger's evidence is kept"),
    },
)
def maintenance() -> None:
    @task(retries=2, retry_policy=retry_policy(None), execution_timeout=timedelta(minutes=5))
    def make_partitions() -> dict[str, object]:
        from dags.upkeep import make_partitions

        return make_partitions()

    @task(retries=2, retry_policy=retry_policy(None), execution_timeout=timedelta(minutes=15))
    def delete_old_rows(params: dict[str, Any] | None = None) -> dict[str, object]:
        from dags.upkeep import delete_old_rows

        chosen = params or {}
        return delete_old_rows(*(int(chosen[name]) for name in ("letter_days", "revision_days", "ledger_days")))

    make_partitions() >> delete_old_rows()


maintenance()
