"""`up`, `status` and the verbs around them, on a platform that runs."""

import os
import re
import subprocess
import sys
import time
import urllib.request

import pytest

from stack.errors import Exit
from stack.home import REPO
from tests.platform.conftest import Running

pytestmark = [pytest.mark.platform, pytest.mark.timeout(600)]

direct = urllib.request.build_opener(urllib.request.ProxyHandler({}))


def test_status_says_ready_in_the_promised_shape(running: Running) -> None:
    said = running.run("status", "--json")
    body = running.status()
    assert said.returncode == 0
    assert body["ready"] is True
    assert body["source"] == "simulator"
    assert {"postgres", "kafka", "simulator", "ingestion", "spark", "airflow", "dashboard"} == set(body["services"])
    for name, entry in body["services"].items():
        assert entry["is_well"], name
        os.kill(entry["pid"], 0)
    assert {"url", "user", "password_file"} <= set(body["services"]["airflow"])
    assert "bootstrap" in body["services"]["kafka"]


@pytest.mark.parametrize("service", ["dashboard", "airflow"])
def test_the_web_pages_answer(running: Running, service: str) -> None:
    with direct.open(running.status()["services"][service]["url"], timeout=20) as answer:
        assert answer.status == 200


def test_candles_come_from_ticks_through_spark_and_move(running: Running) -> None:
    newest = "SELECT max(updated_at) FROM v1.bars WHERE timeframe = '1m' AND ticks > 0"
    [(before,)] = running.rows(newest)
    time.sleep(5)
    [(after,)] = running.rows(newest)
    assert before is not None
    assert after > before


def test_a_second_up_is_quick_and_touches_nothing(running: Running) -> None:
    pids = {name: entry["pid"] for name, entry in running.status()["services"].items()}
    began = time.monotonic()
    said = running.done("up")
    assert time.monotonic() - began < 30
    assert "Candlestream is up" in said
    assert pids == {name: entry["pid"] for name, entry in running.status()["services"].items()}


def test_another_source_is_refused_with_the_remedy(running: Running) -> None:
    said = running.run("up", "--source", "yahoo")
    assert said.returncode == Exit.OTHER_SOURCE
    assert "--home" in said.stderr


def test_the_password_that_is_shown_opens_airflow(running: Running) -> None:
    entry = running.status()["services"]["airflow"]
    password = running.done("password", "airflow").strip()
    body = f'{{"username": "{entry["user"]}", "password": "{password}"}}'.encode()
    request = urllib.request.Request(f"{entry['url']}/auth/token", body, {"Content-Type": "application/json"})  # noqa: S310
    with direct.open(request, timeout=20) as answer:
        assert b"access_token" in answer.read()


def test_no_log_holds_a_password(running: Running) -> None:
    secrets = [path.read_text().strip() for path in (running.home / "secrets").iterdir() if path.name != "pgpass"]
    assert len(secrets) >= 8
    for log in (running.home / "logs").iterdir():
        text = log.read_text(errors="replace")
        assert not [1 for secret in secrets if secret in text], log.name


def test_a_shell_gets_what_psql_and_spark_submit_need(running: Running) -> None:
    exports = running.done("env")
    commands = ["psql -At -c 'SELECT count(*) > 0 FROM v1.bars'", "spark-submit --version 2>&1", "airflow version"]
    script = "\n".join([exports, *commands])
    shell = {"PATH": os.environ["PATH"], "HOME": str(running.home / "run")}
    said = subprocess.run(["bash", "-ec", script], check=False, capture_output=True, text=True, cwd=REPO, env=shell)
    assert said.returncode == 0, said.stderr
    assert said.stdout.startswith("t\n")
    assert "4.2.0" in said.stdout
    assert not re.search(r"FERNET_KEY='?[A-Za-z0-9_-]{40}", exports)


def test_logs_and_tail_show_what_happens(running: Running) -> None:
    assert "supervisor ready" in running.done("logs", "supervisor", "-n", "1000")
    words = ["-m", "stack", "tail", "events", "-n", "3", "--home", str(running.home)]
    with subprocess.Popen([sys.executable, *words], cwd=REPO, stdout=subprocess.PIPE, text=True) as tail:
        assert tail.stdout is not None
        line = tail.stdout.readline()
        tail.kill()
    assert re.match(r"\d+:\d+ .*\{.*\"kind\"", line)


def test_a_stopped_service_stays_stopped_until_it_is_started(running: Running) -> None:
    running.done("stop", "dashboard")
    body = running.status()
    assert (body["ready"], body["services"]["dashboard"]["state"]) == (False, "stopped")
    running.done("start", "dashboard")
    assert running.status()["ready"] is True
