"""The history that the provider keeps, where it is missing: at the first start, for who was left without, and when it is asked for.

Triggered with parameters, it fetches what they say. `airflow backfill create --dag-id backfill --from-date DAY --to-date DAY` makes
a run for each day and fetches that day again. `--dag-run-conf '{"symbols": ["AAPL"], "timeframes": ["1m"]}'` narrows it,
`--dry-run` only names the runs, `--reprocess-behavior completed` repeats those that were made before.
"""

from datetime import timedelta
from typing import Any

from airflow.sdk import Param, dag, task

from dags.commands import backfill_command, day_of
from dags.policy import HISTORY_POOL, OWNER, START, deadline, retry_policy

FRAMES = ["1d", "1m", "5m", "15m", "1h"]

PARAMETERS = {
    # What may be null is not marked as required in the form.
    "symbols": Param(
        [], type=["null", "array"], items={"type": "string"}, title="Symbols", description="Empty: all tracked"
    ),
    "timeframes": Param(
        [],
        type=["null", "array"],
        items={"type": "string", "enum": FRAMES},
        examples=FRAMES,
        title="Timeframes",
        description="Empty: all",
    ),
    "since": Param(None, type=["null", "string"], format="date", title="Since", description="Empty: where it ends"),
    "until": Param(None, type=["null", "string"], format="date", title="Until", description="Empty: today"),
    "everything": Param(False, type="boolean", title="Also what is stored already"),
}


@dag(
    dag_id="backfill",
    description="History of the tracked symbols (or of those named) from the provider",
    # At midnight, so that a run of Airflow's own backfill is named by its day. The first one comes with the first start.
    schedule="0 0 * * *",
    start_date=START,
    catchup=False,
    max_active_runs=1,
    dagrun_timeout=timedelta(hours=6),
    deadline=deadline(timedelta(hours=3)),
    is_paused_upon_creation=False,
    default_args={"owner": OWNER},
    tags=["ingestion"],
    doc_md=__doc__,
    params=PARAMETERS,
)
def backfill() -> None:
    @task(
        retries=4,
        retry_policy=retry_policy(timedelta(minutes=15)),
        execution_timeout=timedelta(hours=2),
        pool=HISTORY_POOL,
    )
    def fetch_history(params: dict[str, Any] | None = None, dag_run: Any = None) -> dict[str, object]:
        from airflow.sdk.exceptions import AirflowSkipException

        from dags.history import without_history
        from dags.parameters import refuse_strangers
        from dags.running import run

        chosen = params or {}
        refuse_strangers(chosen, PARAMETERS)
        symbols = chosen.get("symbols")
        if dag_run.run_type == "scheduled":
            symbols = without_history()
            if symbols == []:
                raise AirflowSkipException("every tracked symbol has its history")
        day = day_of(dag_run.run_type, dag_run.logical_date)
        since, until = chosen.get("since") or day, chosen.get("until") or day
        return run(backfill_command(symbols, chosen.get("timeframes"), since, bool(chosen.get("everything")), until))

    fetch_history()


backfill()
