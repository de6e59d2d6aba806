"""Every day before New York opens: splits and dividends as they are published now, also those that were changed since."""

from datetime import timedelta
from typing import Any

from airflow.sdk import Param, dag, task

from dags.commands import actions_command
from dags.policy import HISTORY_POOL, OWNER, START, deadline, retry_policy


@dag(
    dag_id="corporate_actions",
    description="Splits and dividends of the tracked symbols, as published and re-published",
    schedule="30 11 * * *",
    start_date=START,
    catchup=False,
    max_active_runs=1,
    dagrun_timeout=timedelta(hours=2),
    deadline=deadline(timedelta(hours=1)),
    is_paused_upon_creation=False,
    default_args={"owner": OWNER},
    tags=["ingestion"],
    doc_md=__doc__,
    params={
        "symbols": Param([], type="array", items={"type": "string"}, title="Symbols", description="Empty: all tracked"),
        "days": Param(120, type="integer", minimum=1, title="Of so many days"),
    },
)
def corporate_actions() -> None:
    @task(
        retries=3,
        retry_policy=retry_policy(timedelta(minutes=15)),
        execution_timeout=timedelta(minutes=30),
        pool=HISTORY_POOL,
    )
    def fetch_actions(params: dict[str, Any] | None = None) -> dict[str, object]:
        from dags.running import run

        chosen = params or {}
        return run(actions_command(int(chosen.get("days", 120)), chosen.get("symbols")))

    fetch_actions()


corporate_actions()
