"""What the images are told to run: every file and module is there, in the image that is told of it, and takes its arguments."""

import ast
import importlib.util
import re
import shlex
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import yaml
from typer.main import get_command

from dashboard.deployment import Deployment
from ingestion.arguments import parser
from simulator.__main__ import app as simulator
from sql import __main__ as sql
from stack.home import REPO

pytestmark = pytest.mark.unit

SERVICES: dict[str, dict[str, Any]] = yaml.safe_load((REPO / "docker-compose.yml").read_text())["services"]
DOCKERFILE = (REPO / "Dockerfile").read_text()
# What .dockerignore lets into `COPY . .`: the first line of it shuts everything out.
IN_IMAGES = {line[1:] for line in (REPO / ".dockerignore").read_text().splitlines() if line.startswith("!")}
OURS = {path.parent.name for path in REPO.glob("*/__init__.py")}
PYTHON = re.compile(r"(?:.*/)?python3?")
FILE = re.compile(r"[a-z_]+/[\w/]+\.(?:py|sh|json|txt)")


def words(value: str | list[str] | None) -> list[str]:
    """Of a command as Compose has it, and of the scripts that it hands to a shell."""
    parts = shlex.split(value) if isinstance(value, str) else list(value or [])
    return [word for part in parts for word in (shlex.split(part) if " " in part else [part])]


def compose_commands() -> Iterator[tuple[str, list[str]]]:
    for name, service in SERVICES.items():
        if "build" in service:
            for key in ("entrypoint", "command"):
                yield f"{name} {key}", words(service.get(key))
            yield f"{name} healthcheck", words(service.get("healthcheck", {}).get("test"))


def scripts() -> Iterator[tuple[str, list[str]]]:
    for path in sorted((REPO / "docker").glob("*.sh")):
        for line in path.read_text().splitlines():
            if "python" in line:
                yield path.name, shlex.split(line, comments=True)


def built() -> Iterator[tuple[str, list[str]]]:
    for line in DOCKERFILE.splitlines():
        if re.match(r"(RUN|ENTRYPOINT) .*docker/", line):
            yield f"Dockerfile: {line}", re.findall(r"[\w/.-]+", line)


def documented() -> Iterator[tuple[str, list[str]]]:
    for line in (REPO / "docker" / "README.md").read_text().splitlines():
        if line.startswith("    docker compose"):
            yield f"docker/README.md: {line}", shlex.split(line, comments=True)
    for arguments in ("symbols list", "dead-letters list"):
        yield f"dashboard: {arguments}", shlex.split(Deployment.COMPOSE.ingestion(arguments))


COMMANDS = [(where, command) for found in (compose_commands, scripts, built, documented) for where, command in found()]
MODULES = [
    (where, command[at + 2], command[at + 3 :])
    for where, command in COMMANDS
    for at, word in enumerate(command[:-2])
    if PYTHON.fullmatch(word) and command[at + 1] == "-m"
]


def files_of(module: str) -> list[Path]:
    """The file of one of our modules and of the packages around it; nothing where it is not there."""
    parts = module.split(".")
    inside = [REPO.joinpath(*parts[:depth], "__init__.py") for depth in range(1, len(parts))]
    place = REPO.joinpath(*parts)
    mine = next((path for path in (place.with_suffix(".py"), place / "__init__.py") if path.is_file()), None)
    return [*(path for path in inside if path.is_file()), mine] if mine else []


def imported(path: Path) -> Iterator[str]:
    """Our own modules that a file names, at its head or within a function."""
    for node in ast.walk(ast.parse(path.read_text())):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names if alias.name.partition(".")[0] in OURS)
        elif isinstance(node, ast.ImportFrom) and node.module and node.module.partition(".")[0] in OURS:
            yield node.module
            yield from (name for alias in node.names if files_of(name := f"{node.module}.{alias.name}"))


def reached(first: Path) -> tuple[set[Path], set[str]]:
    """Our files that a script brings in, and the modules among them that are not there."""
    seen: set[Path] = set()
    absent: set[str] = set()
    waiting = [first]
    while waiting:
        path = waiting.pop()
        if path not in seen:
            seen.add(path)
            for module in imported(path):
                files = files_of(module)
                absent |= set() if files else {f"{path.relative_to(REPO)}: {module}"}
                waiting += files
    return {path.relative_to(REPO) for path in seen}, absent


def entries() -> list[str]:
    """Every script and package of ours that one of the commands starts."""
    named = {word for _, command in COMMANDS for word in command if word.endswith(".py")}
    packages = {module for _, module, _ in MODULES if module in OURS}
    return sorted(named | {f"{package}/__main__.py" for package in packages})


def test_the_commands_are_found() -> None:
    """Else everything below would hold of nothing."""
    assert {"docker/obey.py", "docker/health.py", "docker/build_spark.py", "docker/topics.py"} <= set(entries())
    assert {"spark_jobs/stream.py", "dashboard/app.py", "ingestion/__main__.py", "sql/__main__.py"} <= set(entries())
    assert {module for _, module, _ in MODULES} >= {"ingestion", "simulator", "sql", "streamlit"}


@pytest.mark.parametrize(("where", "command"), COMMANDS, ids=lambda value: value if isinstance(value, str) else "")
def test_every_file_that_a_command_names_is_in_the_images(where: str, command: list[str]) -> None:
    for word in command:
        file = word.removeprefix("/opt/candlestream/")
        if FILE.fullmatch(file):
            assert (REPO / file).is_file(), f"{where}: {file} is not there"
            assert file.partition("/")[0] in IN_IMAGES, f"{where}: .dockerignore keeps {file} out"
            if file.endswith(".sh"):
                assert (REPO / file).stat().st_mode & 0o111, f"{where}: {file} cannot be run"


@pytest.mark.parametrize(("where", "module", "arguments"), MODULES)
def test_every_module_that_a_command_names_is_there_and_takes_the_rest(
    where: str, module: str, arguments: list[str], capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    if module == "ingestion":
        parser().parse_args(arguments)
    elif module == "simulator":
        assert arguments[0] in get_command(simulator).commands, where  # type: ignore[attr-defined]  # a group has them
    elif module == "sql":
        for variable in ("CANDLESTREAM_ADMIN_URL", "CANDLESTREAM_MIGRATOR_URL"):
            monkeypatch.delenv(variable, raising=False)
        sql.main(arguments)
        assert "set CANDLESTREAM_" in capsys.readouterr().err, where
    else:
        assert importlib.util.find_spec(module), f"{where}: no module {module}"


@pytest.mark.parametrize("entry", entries())
def test_the_images_have_all_of_our_code_that_a_command_imports(entry: str) -> None:
    files, absent = reached(REPO / entry)
    assert absent == set()
    assert {path.parts[0] for path in files} <= IN_IMAGES


def test_the_connectors_stage_has_all_that_it_runs() -> None:
    """It copies less than the others, so that an edit of our code downloads no jar again."""
    stage = DOCKERFILE.partition("AS connector")[2].partition("\nFROM ")[0]
    copied = [Path(source) for line in re.findall(r"^COPY (.+) \S+$", stage, re.M) for source in line.split()]
    scripts = re.findall(r"docker/\w+\.py", stage.partition("RUN ")[2])
    assert scripts
    for script in scripts:
        for file in reached(REPO / script)[0]:
            assert any(file.is_relative_to(source) for source in copied), f"{script} imports {file}"
    from stack.java import jars
    from stack.parts import spark

    for data in (jars.LOCK, spark.TEMPLATE):
        assert any(data.relative_to(REPO).is_relative_to(source) for source in copied), data
