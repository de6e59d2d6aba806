"""Every ten minutes: the gap ledger is brought up to date, and what can be repaired is fetched (docs/quality.md)."""

from datetime import timedelta
from typing import Any

from airflow.sdk import Param, dag, task

from dags.commands import ledger_command
from dags.policy import LEDGER, OWNER, REPAIR_POOL, START, deadline, retry_policy

DEADLINE_S = 480


@dag(
    dag_id="gap_repair",
    description="Every missing minute has a reason; what can be fetched is fetched",
    schedule="*/10 * * * *",
    start_date=START,
    catchup=False,
    max_active_runs=1,
    dagrun_timeout=timedelta(minutes=45),
    deadline=deadline(timedelta(minutes=30)),
    is_paused_upon_creation=False,
    default_args={"owner": OWNER},
    tags=["ingestion", "quality"],
    doc_md=__doc__,
    params={
        "symbols": Param([], type="array", items={"type": "string"}, title="Symbols", description="Empty: all tracked"),
        "everything": Param(False, type="boolean", title="Also sessions that are settled"),
    },
)
def gap_repair() -> None:
    @task(
        retries=1,
        retry_policy=retry_policy(None),
        execution_timeout=timedelta(minutes=12),
        pool=REPAIR_POOL,
        outlets=[LEDGER],
    )
    def keep_ledger(params: dict[str, Any] | None = None) -> dict[str, object]:
        from dags.running import run

        chosen = params or {}
        return run(ledger_command(DEADLINE_S, chosen.get("symbols"), bool(chosen.get("everything"))))

    keep_ledger()


gap_repair()
