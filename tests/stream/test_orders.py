"""What compose's services do about rows of `core.control`, with a real database and real processes."""

import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import psutil
import psycopg2
import pytest

from tests.embedded import REPO, Database

pytestmark = pytest.mark.stream

# A service with a child, as spark-submit has one; both are deaf to SIGTERM: they stand still.
DEAF = "import signal, time; signal.signal(15, signal.SIG_IGN); print('up', flush=True); time.sleep(60)"
STANDS_STILL = f"import subprocess, sys; p = subprocess.Popen([sys.executable, '-S', '-c', {DEAF!r}]); {DEAF}"
RUN = (
    "import os, sys; sys.path.insert(0, 'docker'); from obey import run;"
    " sys.exit(run(sys.argv[1], sys.argv[2:], os.environ['CANDLESTREAM_DATABASE_URL'], look_s=0.1, grace_s=0.3))"
)


@pytest.fixture
def ask(postgres: Database) -> Callable[..., list[tuple[Any, ...]]]:
    def ask(statement: str, *values: object) -> list[tuple[Any, ...]]:
        connection = psycopg2.connect(postgres.writer)
        connection.autocommit = True
        with connection.cursor() as cursor:
            cursor.execute(statement, values)
            rows = cursor.fetchall() if cursor.description else []
        connection.close()
        return rows

    return ask


@contextmanager
def service(database: Database, name: str, code: str, log: Path) -> Iterator["subprocess.Popen[bytes]"]:
    """A service of compose, as its container runs it."""
    environment = {**os.environ, "PYTHONPATH": str(REPO), "CANDLESTREAM_DATABASE_URL": database.writer}
    command = [sys.executable, "-c", RUN, name, sys.executable, "-S", "-c", code]
    with log.open("wb") as out:
        process = subprocess.Popen(command, cwd=REPO, env=environment, stdout=out, stderr=out)
    try:
        yield process
    finally:
        for one in [*psutil.Process(process.pid).children(recursive=True)] if process.poll() is None else []:
            one.kill()
        process.kill()
        process.wait()


def until_up(log: Path, processes: int = 1) -> None:
    limit = time.monotonic() + 30
    while log.read_bytes().count(b"up\n") < processes:
        assert time.monotonic() < limit, log.read_text()
        time.sleep(0.02)


ORDER = "INSERT INTO core.control (service, verb, asked_by, reason) VALUES (%s, 'restart', 'a test', 'it stands still')"
STATES = "SELECT service, state FROM v1.control ORDER BY id"


def test_a_service_that_stands_still_ends_with_all_of_its_processes_when_its_restart_is_ordered(
    postgres: Database, ask: Callable[..., Any], tmp_path: Path
) -> None:
    log = tmp_path / "log"
    with service(postgres, "spark", STANDS_STILL, log) as process:
        until_up(log, 2)
        led = psutil.Process(process.pid).children(recursive=True)
        assert len(led) == 2
        ask(ORDER, "spark")
        assert process.wait(30) == 75
        assert not [one for one in led if one.is_running() and one.status() != psutil.STATUS_ZOMBIE]
    assert ask(STATES) == [("spark", "done")]
    assert b"it stands still" in log.read_bytes()


def test_an_order_for_another_service_or_from_before_the_start_or_of_yesterday_ends_nothing(
    postgres: Database, ask: Callable[..., Any], tmp_path: Path
) -> None:
    log = tmp_path / "log"
    ask(ORDER, "ingestion")
    with service(postgres, "spark", DEAF, log) as process:
        until_up(log)
        ask(
            ORDER.replace("(service,", "(asked_at, service,").replace("(%s", "(now() - interval '5 minutes', %s"),
            "spark",
        )
        limit = time.monotonic() + 20
        while ask("SELECT 1 FROM core.control WHERE service = 'spark' AND state = 'asked'"):
            assert time.monotonic() < limit
            time.sleep(0.05)
        ask(ORDER.replace("(service,", "(asked_at, service,").replace("(%s", "(now() - interval '1 day', %s"), "spark")
        limit = time.monotonic() + 20
        while ask("SELECT 1 FROM core.control WHERE service = 'spark' AND state = 'asked'"):
            assert time.monotonic() < limit
            time.sleep(0.05)
        time.sleep(0.5)
        assert process.poll() is None
    assert ask(STATES) == [("ingestion", "asked"), ("spark", "done"), ("spark", "expired")]


def test_a_stop_and_an_exit_code_are_passed_on(postgres: Database, tmp_path: Path) -> None:
    gentle = DEAF.replace("signal.SIG_IGN", "lambda *_: __import__('sys').exit(7)")
    log = tmp_path / "log"
    with service(postgres, "spark", gentle, log) as process:
        until_up(log)
        process.send_signal(signal.SIGTERM)
        assert process.wait(30) == 7
    with service(postgres, "spark", "import os; os.kill(os.getpid(), 9)", log) as process:
        assert process.wait(30) == 137
