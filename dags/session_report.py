"""After the gap ledger: a report of each exchange's session that has closed, once, in `v1.session_reports`."""

from datetime import timedelta

from airflow.sdk import dag, task

from dags.policy import LEDGER, OWNER, SESSIONS, START, deadline, retry_policy


@dag(
    dag_id="session_report",
    description="How a session went, in numbers, once it has closed",
    schedule=[LEDGER],
    start_date=START,
    catchup=False,
    max_active_runs=1,
    dagrun_timeout=timedelta(minutes=10),
    deadline=deadline(timedelta(minutes=15)),
    is_paused_upon_creation=False,
    default_args={"owner": OWNER},
    tags=["quality"],
    doc_md=__doc__,
)
def session_report() -> None:
    @task(retries=2, retry_policy=retry_policy(None), execution_timeout=timedelta(minutes=3), outlets=[SESSIONS])
    def report_closed_sessions() -> dict[str, object]:
        from airflow.sdk.exceptions import AirflowSkipException

        from dags.reports import report

        made = report()
        if not made:
            # Nothing waits for a session that has not closed.
            raise AirflowSkipException("no session has closed since the last report")
        return {"sessions": made}

    report_closed_sessions()


session_report()
