"""`.env.example` has every variable that anything reads, and sets none of them."""

import importlib
import re
from collections.abc import Iterator
from pathlib import Path

import pytest
from pydantic_settings import BaseSettings

from stack.home import REPO, Home
from stack.platform import KEPT, Platform
from stack.ports import PREFERRED
from stack.state import State
from stack.supervision.services import all_processes

pytestmark = pytest.mark.unit

LINES = (REPO / ".env.example").read_text().splitlines()
LISTED = {match[1] for line in LINES if (match := re.match(r"# ([A-Z_]+)=", line))}


def settings_classes() -> Iterator[type[BaseSettings]]:
    for path in sorted(REPO.glob("*/settings.py")):
        module = importlib.import_module(f"{path.parent.name}.settings")
        for value in vars(module).values():
            if isinstance(value, type) and issubclass(value, BaseSettings) and value is not BaseSettings:
                yield value


def variables() -> list[str]:
    found = set()
    for settings in settings_classes():
        prefix = settings.model_config.get("env_prefix", "")
        for name, field in settings.model_fields.items():
            found.add(str(field.validation_alias or f"{prefix}{name}").upper())
    return sorted(found)


def test_every_deployable_has_settings() -> None:
    folders = {settings.__module__.partition(".")[0] for settings in settings_classes()}
    assert {"ingestion", "simulator", "spark_jobs", "sql", "dashboard"} <= folders


@pytest.mark.parametrize("variable", variables())
def test_every_setting_is_listed(variable: str) -> None:
    assert variable in LISTED


@pytest.mark.parametrize("variable", variables())
def test_every_setting_reaches_the_processes_of_the_embedded_platform(variable: str, tmp_path: Path) -> None:
    """From the person's shell, or from the platform itself: as a variable, or as an option of a command line."""
    home = Home(tmp_path)
    home.prepare()
    state = State(source="simulator", ports=PREFERRED, java_home=tmp_path / "java")
    specs = all_processes(Platform(home, state)).values()
    set_by_platform = {name for spec in specs for name in spec.environment}
    options = {word for spec in specs for word in spec.command}
    as_option = "--" + variable.removeprefix("CANDLESTREAM_SIMULATOR_").lower().replace("_", "-")
    only_for_up = {"CANDLESTREAM_ADMIN_URL"}
    assert variable in set_by_platform | only_for_up or variable.startswith(KEPT) or as_option in options


def test_every_variable_of_the_architecture_is_listed() -> None:
    text = (REPO / "docs" / "architecture.md").read_text()
    table = text.partition("## Configuration")[2].partition("\n## ")[0]
    cells = [line.split("|")[1] for line in table.splitlines() if line.startswith("| `")]
    named = {name for cell in cells for name in re.findall(r"`([A-Z_]+)`", cell)}
    assert len(named) > 10
    assert named <= LISTED


def test_every_variable_that_compose_reads_is_listed() -> None:
    text = (REPO / "docker-compose.yml").read_text()
    assert set(re.findall(r"\$\{([A-Z_]+)", text)) <= LISTED


def test_a_copy_of_it_changes_nothing() -> None:
    assert [line for line in LINES if line and not line.startswith("#")] == []
