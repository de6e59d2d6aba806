"""Airflow's table of jobs, in a real PostgreSQL, when a real process that stands for its scheduler is killed and started again."""

import asyncio
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from functools import partial
from pathlib import Path

import psycopg2
import pytest
from psycopg2.extensions import connection as Connection
from structlog.testing import capture_logs

from stack.home import Home
from stack.parts.airflow import DATABASE
from stack.parts.orphans import give_up_schedulers
from stack.parts.postgres import PostgresServer
from stack.passwords import AIRFLOW
from stack.platform import Platform
from stack.ports import HOST, PREFERRED
from stack.state import State
from stack.supervision.process import HOME_MARK, WELL, ProcessSpec
from stack.supervision.unit import Unit

pytestmark = pytest.mark.stream

# The table as Airflow itself makes it.
DDL = """
from airflow.jobs.job import Job
from sqlalchemy.dialects import postgresql
from sqlalchemy.schema import CreateTable
print(CreateTable(Job.__table__).compile(dialect=postgresql.dialect()))
"""
# Enters itself as a scheduler does, and is alive.
SCHEDULER = """
import sys, time
import psycopg2
with psycopg2.connect(sys.argv[1]) as connection, connection.cursor() as cursor:
    cursor.execute("INSERT INTO job (job_type, state, latest_heartbeat) VALUES ('SchedulerJob', 'running', now())")
time.sleep(60)
"""
LIMIT_S = 30.0


@pytest.fixture(scope="module")
def table(tmp_path_factory: pytest.TempPathFactory) -> str:
    environment = os.environ | {"AIRFLOW_HOME": str(tmp_path_factory.mktemp("airflow"))}
    command = [sys.executable, "-W", "ignore", "-c", DDL]
    return subprocess.run(command, env=environment, capture_output=True, text=True, check=True).stdout


@pytest.fixture
def platform(postgres_server: PostgresServer, embedded_home: Home) -> Platform:
    return Platform(embedded_home, State(source="simulator", ports=PREFERRED | {"postgres": postgres_server.port}))


@pytest.fixture
def dsn(platform: Platform) -> str:
    return f"postgresql://{AIRFLOW}@{HOST}:{platform.ports['postgres']}/{DATABASE}?passfile={platform.home.pgpass}"


@pytest.fixture
def jobs(dsn: str, table: str) -> Iterator[Connection]:
    connection = psycopg2.connect(dsn)
    connection.autocommit = True
    with connection.cursor() as cursor:
        cursor.execute("DROP TABLE IF EXISTS job")
        cursor.execute(table)
    yield connection
    with connection.cursor() as cursor:
        cursor.execute("DROP TABLE job")
    connection.close()


def states(jobs: Connection) -> list[tuple[str, str]]:
    with jobs.cursor() as cursor:
        cursor.execute("SELECT job_type, state FROM job ORDER BY id")
        return cursor.fetchall()


def test_only_a_scheduler_that_is_said_to_run_is_given_up(platform: Platform, jobs: Connection) -> None:
    with jobs.cursor() as cursor:
        cursor.execute(
            "INSERT INTO job (job_type, state) VALUES ('SchedulerJob', 'success'), ('SchedulerJob', 'running'),"
            " ('DagProcessorJob', 'running'), ('TriggererJob', 'running')"
        )
    with capture_logs() as logged:
        give_up_schedulers(platform)
        give_up_schedulers(platform)
    assert states(jobs) == [
        ("SchedulerJob", "success"),
        ("SchedulerJob", "failed"),
        ("DagProcessorJob", "running"),
        ("TriggererJob", "running"),
    ]
    assert [(line["event"], line["jobs"]) for line in logged] == [("schedulers that are gone", [2])]


def test_what_a_killed_scheduler_left_is_given_up_before_the_next_one_starts(
    platform: Platform, jobs: Connection, dsn: str, tmp_path: Path
) -> None:
    spec = ProcessSpec(
        name="airflow-scheduler",
        service="airflow",
        command=[sys.executable, "-c", SCHEDULER, dsn],
        environment={**os.environ, HOME_MARK: str(tmp_path)},
        log=tmp_path / "scheduler.log",
        probe=lambda: WELL,
        cwd=tmp_path,
        prepare=partial(give_up_schedulers, platform),
    )

    async def scenario() -> None:
        unit = Unit(spec)
        unit.start(spec)
        try:
            await until(lambda: states(jobs) == [("SchedulerJob", "running")])
            for life in range(1, 3):
                assert unit.pid is not None
                os.kill(unit.pid, signal.SIGKILL)
                await until(lambda: states(jobs) == [*[("SchedulerJob", "failed")] * life, ("SchedulerJob", "running")])  # noqa: B023
        finally:
            await unit.stop()

    asyncio.run(scenario())


def test_a_database_that_has_no_jobs_yet_holds_up_no_scheduler(platform: Platform) -> None:
    """Airflow makes its tables by itself; until then there is nothing to give up."""
    with capture_logs() as logged:
        give_up_schedulers(platform)
    [line] = logged
    assert (line["log_level"], line["event"]) == ("warning", "orphaned tasks wait for Airflow's own check")
    assert 'relation "job" does not exist' in line["detail"]


async def until(holds: Callable[[], bool]) -> None:
    limit_s = time.monotonic() + LIMIT_S
    while not await asyncio.to_thread(holds):
        assert time.monotonic() < limit_s, "waited in vain"
        await asyncio.sleep(0.02)
