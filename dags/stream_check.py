"""Every five minutes: do the stream and the live service still report and commit?

If not, the task fails with a sentence. Where a restart helps, the last try orders one: a row in `core.control` that the supervisor
obeys.
"""

from datetime import timedelta

from airflow.sdk import dag, task

from dags.policy import OWNER, START, deadline, retry_policy

RETRIES = 1


@dag(
    dag_id="stream_check",
    description="Fails when the stream or the live service stands still, and orders a restart where that helps",
    schedule="*/5 * * * *",
    start_date=START,
    catchup=False,
    max_active_runs=1,
    dagrun_timeout=timedelta(minutes=4),
    deadline=deadline(timedelta(minutes=4)),
    is_paused_upon_creation=False,
    default_args={"owner": OWNER},
    tags=["supervision"],
    doc_md=__doc__,
)
def stream_check() -> None:
    @task(retries=RETRIES, retry_policy=retry_policy(None), execution_timeout=timedelta(seconds=30))
    def check_stream(**context: object) -> dict[str, object]:
        from dags.checks import complaint, order_restart, read
        from dags.database import url_of_the_platform
        from dags.deadlines import forget
        from dags.failures import StandsStill

        url = url_of_the_platform()
        forget(url)
        seen = read(url)
        wrong = complaint(seen)
        if wrong is None:
            return {"last_commit_s": round(seen.offsets_age_s or 0.0, 1), "behind_s": round(seen.behind_s or 0.0, 1)}
        is_last_try = context["ti"].try_number > RETRIES  # type: ignore[attr-defined]
        ordered = is_last_try and wrong.restart_helps and order_restart(url, wrong)
        raise StandsStill(f"{wrong.sentence}; a restart of {wrong.service} was ordered" if ordered else wrong.sentence)

    check_stream()


stream_check()
