"""Airflow as it runs: what is late is told, and an Airflow whose database was killed comes back."""

import os
import signal
from typing import Any

import psycopg2
import pytest

from stack.parts.airflow import DATABASE
from stack.passwords import AIRFLOW
from stack.ports import HOST
from tests.platform.conftest import Running

pytestmark = [pytest.mark.platform, pytest.mark.timeout(600)]


def in_airflows_database(running: Running, statement: str) -> list[tuple[Any, ...]]:
    dsn = f"postgresql://{AIRFLOW}@{HOST}:{running.platform.ports['postgres']}/{DATABASE}"
    connection = psycopg2.connect(dsn, passfile=str(running.platform.home.pgpass))
    try:
        with connection, connection.cursor() as cursor:
            cursor.execute(statement)
            return cursor.fetchall()
    finally:
        connection.close()


def polling(running: Running) -> list[tuple[Any, ...]]:
    """(id, attempt) of the poller that runs now."""
    return in_airflows_database(
        running, "SELECT run_id, try_number FROM task_instance WHERE dag_id = 'poll' AND state = 'running'"
    )


def test_a_run_that_misses_its_deadline_is_told_in_the_services_status(running: Running) -> None:
    running.wait(lambda _: bool(polling(running)))
    # The scheduler, its callback and the row are real; the time that passes is not.
    moved = in_airflows_database(
        running,
        "UPDATE deadline SET deadline_time = now() - interval '1 second' WHERE NOT missed AND dagrun_id IN"
        " (SELECT id FROM dag_run WHERE dag_id = 'poll' AND state = 'running') RETURNING id",
    )
    assert len(moved) == 1
    told = "SELECT state, detail FROM v1.service_status WHERE name = 'deadlines' AND position('poll ' IN detail) = 1"
    running.wait(lambda _: bool(running.rows(told)))
    [(state, detail)] = running.rows(told)
    assert (state, detail) == ("waiting", "poll was not done 1200 s after it was queued: see its log in Airflow")


def test_airflow_outlives_its_database_with_one_restart_of_each_part_at_most(running: Running) -> None:
    running.wait(lambda body: body["services"]["airflow"]["is_well"] and bool(polling(running)))
    before = running.status()["services"]["airflow"]["restarts"]
    os.kill(running.pid("postgres"), signal.SIGKILL)
    # A scheduler without a database first waits for its tasks: the poller ends with its next poll.
    running.wait(lambda body: body["services"]["postgres"]["is_well"], 60)
    running.wait(lambda body: body["services"]["airflow"]["is_well"] and bool(polling(running)), 400)
    assert running.status()["services"]["airflow"]["restarts"] - before <= 3
