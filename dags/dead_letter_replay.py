"""Once a day, and when it is triggered with parameters: dead letters are sent again.

By itself it takes those of symbols that were not known then and are now; `./candlestream dead-letters` replays the others.
"""

from datetime import timedelta
from typing import Any

from airflow.sdk import Param, dag, task

from dags.commands import replay_command
from dags.policy import OWNER, START, deadline, retry_policy

PARAMETERS = {
    "ids": Param([], type="array", items={"type": "integer"}, title="Ids", description="As `dead-letters list` shows"),
    "symbol": Param(None, type=["null", "string"], title="Symbol"),
    "reason": Param(None, type=["null", "string"], title="Reason", description="Such as bad_price"),
}


@dag(
    dag_id="dead_letter_replay",
    description="Refused records once more, each with its first receive time",
    schedule="10 5 * * *",
    start_date=START,
    catchup=False,
    max_active_runs=1,
    dagrun_timeout=timedelta(hours=1),
    deadline=deadline(timedelta(minutes=45)),
    is_paused_upon_creation=False,
    default_args={"owner": OWNER},
    tags=["ingestion"],
    doc_md=__doc__,
    params=PARAMETERS,
)
def dead_letter_replay() -> None:
    @task(retries=2, retry_policy=retry_policy(None), execution_timeout=timedelta(minutes=20))
    def replay(params: dict[str, Any] | None = None) -> dict[str, object]:
        from dags.parameters import refuse_strangers
        from dags.running import run

        chosen = params or {}
        refuse_strangers(chosen, PARAMETERS)
        return run(replay_command(chosen.get("ids"), chosen.get("symbol"), chosen.get("reason")))

    replay()


dead_letter_replay()
