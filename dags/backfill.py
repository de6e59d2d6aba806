"""The history that the provider keeps, where it is missing: once at the first start, and when it is triggered with parameters."""

from datetime import timedelta
from typing import Any

from airflow.sdk import Param, dag, task

from dags.commands import backfill_command
from dags.policy import HISTORY_POOL, OWNER, START, deadline, retry_policy

FRAMES = ["1d", "1m", "5m", "15m", "1h"]


@dag(
    dag_id="backfill",
    description="History of the tracked symbols (or of those named) from the provider",
    schedule="@once",
    start_date=START,
    catchup=False,
    max_active_runs=1,
    dagrun_timeout=timedelta(hours=6),
    deadline=deadline(timedelta(hours=3)),
    is_paused_upon_creation=False,
    default_args={"owner": OWNER},
    tags=["ingestion"],
    doc_md=__doc__,
    params={
        "symbols": Param([], type="array", items={"type": "string"}, title="Symbols", description="Empty: all tracked"),
        "timeframes": Param(
            [],
            type="array",
            items={"type": "string", "enum": FRAMES},
            examples=FRAMES,
            title="Timeframes",
            description="Empty: all",
        ),
        "since": Param(None, type=["null", "string"], format="date", title="Since", description="Empty: where it ends"),
        "everything": Param(False, type="boolean", title="Also what is stored already"),
    },
)
def backfill() -> None:
    @task(
        retries=4,
        retry_policy=retry_policy(timedelta(minutes=15)),
        execution_timeout=timedelta(hours=2),
        pool=HISTORY_POOL,
    )
    def fetch_history(params: dict[str, Any] | None = None) -> dict[str, object]:
        from dags.running import run

        chosen = params or {}
        return run(
            backfill_command(
                chosen.get("symbols"), chosen.get("timeframes"), chosen.get("since"), bool(chosen.get("everything"))
            )
        )

    fetch_history()


backfill()
