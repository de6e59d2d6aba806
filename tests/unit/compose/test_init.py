"""docker/init.py: what the first service decides and whom it gives which secret."""

import importlib.util
import json
import stat
from pathlib import Path
from types import ModuleType

import pytest

from stack.errors import Exit, StackError
from stack.home import REPO, Home
from stack.state import State, save

pytestmark = pytest.mark.unit


@pytest.fixture
def init() -> ModuleType:
    spec = importlib.util.spec_from_file_location("docker_init", REPO / "docker" / "init.py")
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


@pytest.fixture
def run(tmp_path: Path) -> Path:
    for name in ("vault", "writer", "reader", "airflow"):
        (tmp_path / name).mkdir()
    return tmp_path


def roles(pgpass: Path) -> list[str]:
    return [line.split(":")[3] for line in pgpass.read_text().splitlines()]


def test_each_service_is_given_its_own_roles(init: ModuleType, run: Path) -> None:
    init.hand_out_secrets(run)
    assert roles(run / "reader" / "pgpass") == ["candlestream_reader"]
    assert roles(run / "writer" / "pgpass") == ["candlestream_writer"]
    assert roles(run / "airflow" / "pgpass") == ["candlestream_airflow", "candlestream_writer"]
    assert "postgres" in roles(run / "vault" / "secrets" / "pgpass")


def test_every_secret_is_readable_by_its_owner_alone(init: ModuleType, run: Path) -> None:
    init.hand_out_secrets(run)
    files = [path for path in run.rglob("*") if path.is_file()]
    assert len(files) > 10
    assert {stat.S_IMODE(path.stat().st_mode) for path in files} == {0o600}


def test_secrets_are_made_once_and_differ(init: ModuleType, run: Path) -> None:
    init.hand_out_secrets(run)
    before = {path: path.read_text() for path in run.rglob("*") if path.is_file()}
    init.hand_out_secrets(run)
    assert {path: path.read_text() for path in run.rglob("*") if path.is_file()} == before
    made = [text for path, text in before.items() if path.parent.name == "secrets" and path.name != "pgpass"]
    assert len(set(made)) == len(made)
    login = json.loads((run / "airflow" / "simple_auth_manager_passwords.json").read_text())
    assert list(login) == ["admin"]
    assert len(login["admin"]) >= 24


def test_what_was_asked_for_first_is_kept(init: ModuleType, tmp_path: Path) -> None:
    home = Home(tmp_path)
    decided = init.decision(home, {"CANDLESTREAM_SOURCE": "simulator", "CANDLESTREAM_SIMULATOR_SEED": "7"})
    assert (decided.source, decided.seed) == ("simulator", 7)
    save(home, decided)
    assert init.decision(home, {"CANDLESTREAM_SOURCE": ""}) == decided


@pytest.mark.parametrize(
    ("environ", "code"),
    [
        ({"CANDLESTREAM_SOURCE": "yahoo"}, Exit.OTHER_SOURCE),
        ({"CANDLESTREAM_SIMULATOR_SEED": "8"}, Exit.OTHER_SOURCE),
        ({"CANDLESTREAM_SOURCE": "bloomberg"}, Exit.USAGE),
        ({"CANDLESTREAM_SIMULATOR_SEED": "seven"}, Exit.USAGE),
    ],
)
def test_another_source_or_seed_is_refused(
    init: ModuleType, tmp_path: Path, environ: dict[str, str], code: Exit
) -> None:
    save(Home(tmp_path), State(source="simulator", seed=7))
    with pytest.raises(StackError) as refused:
        init.decision(Home(tmp_path), environ)
    assert refused.value.code == code


@pytest.mark.parametrize(
    ("source", "database", "prefix"),
    [("yahoo", "candlestream", ""), ("simulator", "candlestream_simulator", "simulator.")],
)
def test_database_and_topics_follow_from_the_source(
    init: ModuleType, tmp_path: Path, source: str, database: str, prefix: str
) -> None:
    shared = init.shared_environment(Home(tmp_path), State(source=source))
    assert (shared["CANDLESTREAM_DATABASE"], shared["CANDLESTREAM_TOPIC_PREFIX"]) == (database, prefix)
    assert ("CANDLESTREAM_FEED_PROXY" in shared) == (source == "simulator")
