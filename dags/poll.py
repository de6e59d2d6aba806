"""Each minute: the provider's minutes of today and its newest days, which confirm and correct what the ticks made."""

from datetime import timedelta

from airflow.sdk import dag, task

from dags.commands import poll_command
from dags.policy import OWNER, START, retry_policy

DEADLINE_S = 40


@dag(
    dag_id="poll",
    description="Minutes and days of all tracked symbols from the provider, once a minute",
    schedule="* * * * *",
    start_date=START,
    catchup=False,
    max_active_runs=1,
    dagrun_timeout=timedelta(minutes=3),
    is_paused_upon_creation=False,
    default_args={"owner": OWNER},
    tags=["ingestion"],
    doc_md=__doc__,
)
def poll() -> None:
    @task(retries=1, retry_policy=retry_policy(None), execution_timeout=timedelta(seconds=80))
    def poll_tracked_symbols() -> dict[str, object]:
        from dags.running import run

        return run(poll_command(DEADLINE_S))

    poll_tracked_symbols()


poll()
