"""docker-compose.yml: what a person who types `docker compose up` may rely on."""

import re
import shlex
import tomllib
from typing import Any

import pytest
import yaml

from stack.home import REPO, Home
from stack.java.runtime import Java
from stack.parts import airflow
from stack.parts.kafka import HEAP, JVM, KafkaNode
from stack.parts.postgres import SETTINGS
from stack.passwords import FERNET_KEY
from stack.ports import PREFERRED

pytestmark = pytest.mark.unit

COMPOSE: dict[str, Any] = yaml.safe_load((REPO / "docker-compose.yml").read_text())
SERVICES: dict[str, dict[str, Any]] = COMPOSE["services"]
ONE_SHOT = {name for name, service in SERVICES.items() if service.get("restart") == "no"}
UNITS = {"m": 1 << 20, "g": 1 << 30}


def needs(name: str) -> dict[str, str]:
    return {other: how["condition"] for other, how in SERVICES[name].get("depends_on", {}).items()}


def all_needs(name: str) -> set[str]:
    direct = set(needs(name))
    return direct.union(*(all_needs(other) for other in direct))


@pytest.mark.parametrize("name", SERVICES)
def test_every_image_is_pinned(name: str) -> None:
    image, _, tag = SERVICES[name]["image"].partition(":")
    assert re.search(r"\d", tag), f"{image} has no version"
    if "build" in SERVICES[name]:
        assert tag == tomllib.loads((REPO / "pyproject.toml").read_text())["project"]["version"]


def test_base_images_are_pinned() -> None:
    stages = re.findall(r"^FROM (\S+)(?: AS (\S+))?", (REPO / "Dockerfile").read_text(), re.MULTILINE)
    ours = {name for _, name in stages}
    assert {SERVICES[name]["build"]["target"] for name in SERVICES if "build" in SERVICES[name]} <= ours
    assert all(re.search(r":\d", image) for image, _ in stages if image not in ours)


def test_images_hold_their_code_compiled_so_that_no_start_compiles_it() -> None:
    stages = re.split(r"^FROM ", (REPO / "Dockerfile").read_text(), flags=re.MULTILINE)
    with_our_code = [stage for stage in stages if re.search(r"^COPY \. ", stage, re.MULTILINE)]
    assert len(with_our_code) == 2
    assert all("compileall" in stage.partition("COPY . ")[2] for stage in with_our_code)


@pytest.mark.parametrize("name", SERVICES)
def test_every_service_says_whether_it_is_well_or_ends_by_itself(name: str) -> None:
    if name in ONE_SHOT:
        waiting = [other for other in SERVICES if needs(other).get(name) == "service_completed_successfully"]
        assert waiting, f"nobody waits for the end of {name}"
    else:
        assert SERVICES[name]["healthcheck"]["test"][0] == "CMD"
        assert SERVICES[name]["restart"] in ("unless-stopped", "on-failure")


@pytest.mark.parametrize("name", SERVICES)
def test_what_is_waited_for_can_happen(name: str) -> None:
    for other, condition in needs(name).items():
        if condition == "service_healthy":
            assert "healthcheck" in SERVICES[other]
        else:
            assert (condition == "service_completed_successfully") == (other in ONE_SHOT)


def test_airflow_opens_no_server_of_task_logs() -> None:
    assert SERVICES["airflow-scheduler"]["command"] == "scheduler --skip-serve-logs"
    logs = "airflow-logs:/opt/airflow/logs"
    assert all(logs in SERVICES[name]["volumes"] for name in ("airflow-api", "airflow-scheduler"))


def test_nothing_that_needs_the_schema_starts_before_it() -> None:
    without = set(SERVICES) - {"init", "postgres", "kafka", "migrate", "simulator"}
    assert all("migrate" in all_needs(name) for name in without)
    assert {"postgres", "kafka", "init"} <= all_needs("migrate")


def test_what_may_be_ordered_to_restart_obeys_and_is_started_again() -> None:
    """Those that Airflow's check complains about (dags/checks.py)."""
    for name in ("spark", "ingestion"):
        assert SERVICES[name]["command"].startswith(f"python docker/obey.py {name} "), name
        assert SERVICES[name]["restart"] == "unless-stopped", name
        assert "candlestream_writer" in SERVICES[name]["environment"]["CANDLESTREAM_ROLE"], name


def test_tasks_run_when_the_api_that_they_report_to_answers() -> None:
    assert needs("airflow-scheduler")["airflow-api"] == "service_healthy"


@pytest.mark.parametrize("name", SERVICES)
def test_ports_are_for_this_machine_alone(name: str) -> None:
    for port in SERVICES[name].get("ports", []):
        assert str(port).startswith("127.0.0.1:")


def test_ports_are_those_of_the_embedded_platform() -> None:
    published = re.findall(
        r"127\.0\.0\.1:\$\{CANDLESTREAM_([A-Z_]+)_PORT:-(\d+)\}:", (REPO / "docker-compose.yml").read_text()
    )
    assert {name.lower(): int(port) for name, port in published} == {
        name: PREFERRED[name] for name in ("dashboard", "airflow", "spark_ui", "postgres", "kafka")
    }


@pytest.mark.parametrize("name", SERVICES)
def test_no_password_stands_in_the_file(name: str) -> None:
    for variable, value in (SERVICES[name].get("environment") or {}).items():
        assert not re.search(r"//[^/@\s]+:[^/@\s]+@", str(value)), f"{variable} has a password in its URL"
        if re.search(r"PASSWORD|SECRET|FERNET|TOKEN", variable):
            assert variable.endswith(("_FILE", "_CMD")), variable
            assert "/run/candlestream/" in value


@pytest.mark.parametrize("name", SERVICES)
def test_state_lies_in_named_volumes(name: str) -> None:
    for volume in SERVICES[name].get("volumes", []):
        assert volume.split(":")[0] in COMPOSE["volumes"]


def test_no_service_is_given_more_secrets_than_it_needs() -> None:
    given = {
        name: {volume.split(":")[0] for volume in service.get("volumes", []) if volume.startswith("secrets")}
        for name, service in SERVICES.items()
    }
    assert {name for name, volumes in given.items() if "secrets" in volumes} == {"init", "postgres", "migrate"}
    assert given["dashboard"] == {"secrets-reader"}
    assert given["spark"] == given["ingestion"] == {"secrets-writer"}
    assert given["kafka"] == given["simulator"] == set()


def test_memory_is_limited_to_what_a_laptop_has() -> None:
    limits = {name: int(s["mem_limit"][:-1]) * UNITS[s["mem_limit"][-1]] for name, s in SERVICES.items()}
    assert sum(limits[name] for name in SERVICES if name not in ONE_SHOT) <= 10 << 30


def test_postgres_is_set_up_like_the_embedded_one() -> None:
    command = shlex.split(SERVICES["postgres"]["command"])
    settings = dict(word.split("=", 1) for word in command if "=" in word)
    # Where the embedded server listens is its own affair.
    assert settings == {k: v for k, v in SETTINGS.items() if k not in ("listen_addresses", "unix_socket_directories")}


def test_kafka_is_set_up_like_the_embedded_one() -> None:
    folder = REPO / "anywhere"
    node = KafkaNode(Java(folder, 17, False), [], folder, folder, port=9092, controller_port=9093)
    embedded = dict(line.split("=", 1) for line in node.properties(folder).splitlines())
    environment = SERVICES["kafka"]["environment"]
    composed = {name: environment.get("KAFKA_" + name.replace(".", "_").upper()) for name in embedded}
    addresses = {"listeners", "advertised.listeners", "log.dirs"}
    assert {k: v for k, v in composed.items() if k not in addresses} == {
        k: v for k, v in embedded.items() if k not in addresses
    }
    assert environment["KAFKA_HEAP_OPTS"].split() == list(HEAP)
    assert environment["KAFKA_JVM_PERFORMANCE_OPTS"].split() == [option for option in JVM if option not in HEAP]


def test_airflow_is_set_up_like_the_embedded_one(tmp_path: Any) -> None:
    home = Home(tmp_path)
    home.secrets.mkdir()
    embedded = airflow.environment(home, PREFERRED)
    secrets = {
        "AIRFLOW__CORE__FERNET_KEY": FERNET_KEY,
        "AIRFLOW__API__SECRET_KEY": "airflow_secret_key",
        "AIRFLOW__API_AUTH__JWT_SECRET": "airflow_jwt_secret",
    }
    places = {"AIRFLOW_HOME", "AIRFLOW__API__HOST", "AIRFLOW__API__PORT"}
    for name in ("airflow-migrate", "airflow-api", "airflow-scheduler", "airflow-dags"):
        composed = SERVICES[name]["environment"]
        for variable, value in embedded.items():
            if variable in secrets:
                assert composed[f"{variable}_CMD"] == f"cat /run/candlestream/{secrets[variable]}"
            elif not (variable in places or "/" in value or "127.0.0.1" in value):
                assert composed[variable] == value
            elif variable != "AIRFLOW_HOME":
                assert variable in composed


def test_up_wait_succeeds_with_either_source() -> None:
    """`up --wait` fails when a service ends that nobody waits for: the simulator's rests where the prices are Yahoo's."""
    assert SERVICES["simulator"]["command"] == "docker/simulator.sh"
    script = (REPO / "docker" / "simulator.sh").read_text()
    assert script.rstrip().endswith("exec sleep infinity")
    assert SERVICES["simulator"]["healthcheck"]["test"][-2:] == ["docker/simulator.sh", "health"]
