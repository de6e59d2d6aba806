"""The provider's minutes of today and its newest days, which confirm and correct what the ticks made: a poll a minute.

A run starts a poller, says for how long and for which symbols, follows it in its log, and keeps its numbers. The poller ends as the
next run begins, so that it never grows old; docs/adr/0006 has what a task a minute would cost instead.
"""

from datetime import timedelta
from typing import Any

from airflow.sdk import Param, dag, task

from dags.commands import poll_command
from dags.policy import MINUTES_POOL, OWNER, START, deadline, retry_policy

SPAN_MINUTES = 15
# Of each poll.
DEADLINE_S = 40


@dag(
    dag_id="poll",
    description="Minutes and days of all tracked symbols from the provider, once a minute",
    schedule=f"*/{SPAN_MINUTES} * * * *",
    start_date=START,
    catchup=False,
    max_active_runs=1,
    dagrun_timeout=timedelta(minutes=SPAN_MINUTES + 10),
    deadline=deadline(timedelta(minutes=SPAN_MINUTES + 5)),
    is_paused_upon_creation=False,
    default_args={"owner": OWNER},
    tags=["ingestion"],
    doc_md=__doc__,
    params={
        "symbols": Param([], type="array", items={"type": "string"}, title="Symbols", description="Empty: all tracked"),
    },
)
def poll() -> None:
    @task(
        # A part that is away ends the poller; it is started again for what is left of its time.
        retries=10,
        retry_policy=retry_policy(None, provider_delay=None),
        execution_timeout=timedelta(minutes=SPAN_MINUTES + 3),
        pool=MINUTES_POOL,
    )
    def poll_tracked_symbols(params: dict[str, Any] | None = None) -> dict[str, object]:
        from datetime import UTC, datetime

        from dags.commands import end_of_span
        from dags.running import run

        until = end_of_span(datetime.now(UTC), SPAN_MINUTES)
        return run(poll_command(DEADLINE_S, until, (params or {}).get("symbols")))

    poll_tracked_symbols()


poll()
