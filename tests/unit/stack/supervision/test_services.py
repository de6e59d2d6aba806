"""What the supervisor is told to start, without starting it."""

from pathlib import Path

import pytest
from structlog.testing import capture_logs

from stack.home import Home
from stack.platform import Platform
from stack.ports import PREFERRED
from stack.state import State
from stack.supervision.process import WELL, Health, ProcessSpec
from stack.supervision.services import STOP_ORDER, all_processes, first, services_of

pytestmark = pytest.mark.unit


@pytest.fixture
def processes(tmp_path: Path) -> dict[str, ProcessSpec]:
    home = Home(tmp_path)
    home.prepare()
    # PostgreSQL's port 1 is nobody's, whatever else runs on the machine.
    state = State(source="simulator", ports=PREFERRED | {"postgres": 1}, java_home=tmp_path / "java", java_version=17)
    return all_processes(Platform(home, state))


def test_a_service_has_a_process_and_every_process_a_place_in_the_stop_order(
    processes: dict[str, ProcessSpec],
) -> None:
    assert {spec.service for spec in processes.values()} == set(services_of("simulator"))
    assert sorted(processes) == sorted(name for together in STOP_ORDER for name in together)


def test_airflow_opens_no_server_of_task_logs(processes: dict[str, ProcessSpec]) -> None:
    """It would listen on every interface of the machine, at one port for all homes."""
    assert processes["airflow-scheduler"].command[1:] == ["scheduler", "--skip-serve-logs"]


def test_airflow_waits_for_its_database(processes: dict[str, ProcessSpec]) -> None:
    """None listens here: a part that started all the same would only end, again and again."""
    for name in ("airflow-api", "airflow-scheduler", "airflow-dags"):
        health = processes[name].waits_for()
        assert (health.is_well, health.detail) == (False, "port 1 takes no connections"), name


def test_what_a_killed_stream_left_in_its_scratch_space_is_gone_before_the_next_one(
    processes: dict[str, ProcessSpec], tmp_path: Path
) -> None:
    stream = processes["spark"]
    left = Path(stream.environment["SPARK_LOCAL_DIRS"]) / "blockmgr-of-a-killed-one"
    left.mkdir(parents=True)
    of_a_job_that_somebody_typed = tmp_path / "spark" / "blockmgr"
    of_a_job_that_somebody_typed.mkdir()
    stream.prepare()
    assert (left.exists(), of_a_job_that_somebody_typed.exists()) == (False, True)
    stream.prepare()


def test_a_scheduler_starts_without_a_database_in_which_to_give_up_the_one_before(
    processes: dict[str, ProcessSpec],
) -> None:
    """Its own start says what is missing; that nothing was given up is said once, and no other process is prepared like that."""
    with capture_logs() as logged:
        for name in ("airflow-api", "airflow-scheduler", "airflow-dags"):
            processes[name].prepare()
    [line] = logged
    assert line["event"] == "orphaned tasks wait for Airflow's own check"
    assert "port 1 failed" in line["detail"]


def test_what_waits_for_several_says_the_first_that_is_away() -> None:
    away = Health(False, "starting", "the API does not answer")
    assert first(lambda: WELL, lambda: away, lambda: Health(False))() is away
    assert first(lambda: WELL, lambda: WELL)() is WELL


def test_no_command_line_holds_a_password(processes: dict[str, ProcessSpec], tmp_path: Path) -> None:
    secrets = [path.read_text().strip() for path in (tmp_path / "secrets").iterdir()]
    assert len(secrets) >= 3
    for spec in processes.values():
        assert not [1 for word in spec.command for secret in secrets if secret in word], spec.name
