"""After the reports: fails when a session that closed is not as good as it should be, and names the worst."""

from datetime import timedelta
from typing import Any

from airflow.sdk import Param, dag, task

from dags.policy import OWNER, SESSIONS, START, deadline, retry_policy


@dag(
    dag_id="quality_gate",
    description="Fails when the newest sessions' quality is below the threshold",
    schedule=[SESSIONS],
    start_date=START,
    catchup=False,
    max_active_runs=1,
    dagrun_timeout=timedelta(minutes=10),
    deadline=deadline(timedelta(minutes=15)),
    is_paused_upon_creation=False,
    default_args={"owner": OWNER},
    tags=["quality"],
    doc_md=__doc__,
    params={
        "threshold": Param(90, type="number", minimum=0, maximum=100, title="Lowest score that passes"),
        "days": Param(2, type="integer", minimum=1, title="Sessions of so many days"),
    },
)
def quality_gate() -> None:
    @task(retries=1, retry_policy=retry_policy(None), execution_timeout=timedelta(minutes=2))
    def judge_sessions(params: dict[str, Any] | None = None) -> dict[str, object]:
        from dags.failures import QualityTooLow
        from dags.reports import objection, scores

        chosen = params or {}
        found = scores(int(chosen.get("days", 2)))
        said = objection(found, float(chosen.get("threshold", 90)))
        if said:
            raise QualityTooLow(said)
        return {"sessions": len(found), "lowest": min((score for *_, score, _ in found), default=None)}

    judge_sessions()


quality_gate()
