from pathlib import Path

import pytest

from stack import state
from stack.home import Home
from stack.ports import PREFERRED
from stack.report.status import account, service
from stack.state import State

pytestmark = pytest.mark.unit


def process(name: str, *, is_well: bool, restarts: int = 0) -> dict[str, object]:
    word = "ok" if is_well else "failing"
    told = {"service": name, "state": word, "is_well": is_well, "pid": 1, "restarts": restarts}
    return told | {"detail": "", "last_exit": "", "log": ""}


def test_the_worst_process_speaks_for_a_service() -> None:
    processes = {"a": process("airflow", is_well=True, restarts=1), "b": process("airflow", is_well=False, restarts=2)}
    told = service("airflow", processes, {})
    assert (told["state"], told["is_well"], told["restarts"]) == ("failing", False, 3)


def test_a_service_without_processes_is_stopped() -> None:
    assert service("spark", {}, {"kafka": 7})["state"] == "stopped"


def test_what_outlived_its_supervisor_is_unwatched_and_not_well() -> None:
    told = service("airflow", {}, {"kafka": 7, "airflow-scheduler": 8})
    assert (told["state"], told["is_well"], told["pid"]) == ("unwatched", False, 8)


def test_an_empty_home_is_not_ready_and_has_no_source(tmp_path: Path) -> None:
    body = account(Home(tmp_path / "none"))
    assert (body["source"], body["ready"], body["services"]) == (None, False, {})


def test_the_account_has_what_programs_rely_on_even_when_nothing_runs(tmp_path: Path) -> None:
    home = Home(tmp_path)
    home.prepare()
    state.save(home, State(source="simulator", ports=PREFERRED))
    body = account(home)
    assert body["source"] == "simulator"
    assert body["ready"] is False
    assert set(body["services"]) == {"postgres", "kafka", "simulator", "ingestion", "spark", "airflow", "dashboard"}
    assert {"state", "pid", "url"} <= set(body["services"]["postgres"])
    assert {"state", "pid", "bootstrap"} <= set(body["services"]["kafka"])
    assert {"url", "user", "password_file"} <= set(body["services"]["airflow"])
    assert body["services"]["dashboard"]["url"] == f"http://127.0.0.1:{PREFERRED['dashboard']}"
    assert body["disk"]["free_bytes"] > 0


def test_a_home_fed_by_yahoo_has_no_simulator(tmp_path: Path) -> None:
    home = Home(tmp_path)
    home.prepare()
    state.save(home, State(source="yahoo", ports=PREFERRED))
    assert "simulator" not in account(home)["services"]
