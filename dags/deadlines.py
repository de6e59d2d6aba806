"""What happens when a run misses its deadline: it is said where people look."""

import logging
from typing import Any

from dags.database import connected

log = logging.getLogger(__name__)

NAME = "deadlines"


def missed(context: dict[str, Any] | None = None, seconds: float = 0.0, **_: Any) -> None:
    """Writes a row in the services' status. Called by Airflow with the run that is late."""
    run = (context or {}).get("dag_run") or {}
    dag_id = run.get("dag_id", "a DAG") if isinstance(run, dict) else getattr(run, "dag_id", "a DAG")
    detail = f"{dag_id} was not done {seconds:.0f} s after it was queued: see its log in Airflow"
    log.warning("%s", detail)
    with connected() as cursor:
        cursor.execute(
            "INSERT INTO core.service_status (name, state, detail) VALUES (%s, 'waiting', %s)"
            " ON CONFLICT (name) DO UPDATE SET state = 'waiting', detail = EXCLUDED.detail, heartbeat_at = now()",
            (NAME, detail),
        )


def forget(url: str) -> None:
    """A missed deadline is told until none was missed for a quarter of an hour; after that its run's log in Airflow has it."""
    with connected(url) as cursor:
        cursor.execute(
            "UPDATE core.service_status"
            " SET state = 'ok', detail = 'no run missed its deadline in the last quarter of an hour', heartbeat_at = now()"
            " WHERE name = %s AND state <> 'ok' AND heartbeat_at < now() - interval '15 minutes'",
            (NAME,),
        )
