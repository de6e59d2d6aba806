"""What ran under a scheduler of Airflow that is gone is given up before the next one starts. Written by SQL, as the pools are.

Airflow's next scheduler runs orphans again at its start, but takes one that was killed a moment ago for alive until its last
heartbeat has grown old: the poll would stand still meanwhile. A home has one scheduler, so here that is certain at once.
"""

import psycopg2
import structlog

from stack.parts.airflow import DATABASE
from stack.passwords import AIRFLOW
from stack.platform import Platform
from stack.ports import HOST

log = structlog.get_logger()


def give_up_schedulers(platform: Platform) -> None:
    """For the moment before a scheduler starts. Where the database cannot be used, Airflow finds out by itself, later."""
    dsn = f"postgresql://{AIRFLOW}@{HOST}:{platform.ports['postgres']}/{DATABASE}"
    try:
        connection = psycopg2.connect(dsn, passfile=str(platform.home.pgpass), connect_timeout=5)
        try:
            with connection, connection.cursor() as cursor:
                cursor.execute(
                    "UPDATE job SET state = 'failed' WHERE job_type = 'SchedulerJob' AND state = 'running' RETURNING id"
                )
                gone = [row[0] for row in cursor.fetchall()]
        finally:
            connection.close()
    except psycopg2.Error as error:
        log.warning("orphaned tasks wait for Airflow's own check", detail=str(error).strip().splitlines()[0])
        return
    if gone:
        log.info("schedulers that are gone", jobs=gone)
