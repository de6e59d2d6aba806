"""Every five minutes: do the stream and the live service still report and commit? If not, the task fails with a sentence."""

from datetime import timedelta

from airflow.sdk import dag, task

from dags.policy import OWNER, START


@dag(
    dag_id="stream_check",
    description="Fails when the stream or the live service stands still",
    schedule="*/5 * * * *",
    start_date=START,
    catchup=False,
    max_active_runs=1,
    dagrun_timeout=timedelta(minutes=4),
    is_paused_upon_creation=False,
    default_args={"owner": OWNER},
    tags=["supervision"],
    doc_md=__doc__,
)
def stream_check() -> None:
    @task(retries=1, retry_delay=timedelta(seconds=45), execution_timeout=timedelta(seconds=30))
    def check_stream() -> str:
        import os

        import psycopg2

        from dags.checks import complaint, read
        from dags.failures import BadConfiguration, CommandFailed, PartAway

        url = os.environ.get("CANDLESTREAM_DATABASE_URL")
        if not url:
            raise BadConfiguration("CANDLESTREAM_DATABASE_URL is not set")
        try:
            seen = read(url)
        except psycopg2.Error as error:
            raise PartAway(f"PostgreSQL cannot be used: {str(error).strip().splitlines()[0]}") from None
        found = complaint(seen)
        if found:
            raise CommandFailed(found)
        return f"the stream's last commit was {seen.offsets_age_s or 0:.1f} s ago, {seen.behind_s or 0:.1f} s behind the clock"

    check_stream()


stream_check()
