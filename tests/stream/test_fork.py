"""docs/fork.md: each of its diffs applies to this tree as it stands there, and what it adds works."""

import json
import os
import re
import shutil
import subprocess
import sys
from collections.abc import Callable
from datetime import UTC, datetime
from importlib.util import module_from_spec, spec_from_file_location
from pathlib import Path
from types import ModuleType

import psycopg2
import pytest

from stack.home import REPO
from tests.embedded import Database
from tests.stream.dashboard.rows import bar

pytestmark = pytest.mark.stream

PAGE = REPO / "docs" / "fork.md"
# What is neither code nor read by the tests that are run here.
LEFT_OUT = shutil.ignore_patterns(".*", "__pycache__", "images", "node_modules")


@pytest.fixture(scope="module")
def fork(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A copy of this tree with all of the page's diffs."""
    tree = tmp_path_factory.mktemp("fork") / "tree"
    shutil.copytree(REPO, tree, ignore=LEFT_OUT)
    diffs = re.findall(r"```diff\n(.*?)```", PAGE.read_text(), re.DOTALL)
    assert len(diffs) == 4, "the provider and its test, the indicator, the sink"
    # Below another repository it would take the paths for that one's.
    environment = os.environ | {"GIT_CEILING_DIRECTORIES": str(tree.parent)}
    for diff in diffs:
        command = ["git", "apply", "-"]
        applied = subprocess.run(command, cwd=tree, env=environment, input=diff, text=True, capture_output=True)
        assert applied.returncode == 0, applied.stderr + diff
    return tree


def python(tree: Path, *arguments: str) -> None:
    """Runs a module on the fork's code."""
    command = [sys.executable, "-P", "-m", *arguments]
    environment = os.environ | {"PYTHONPATH": str(tree)}
    done = subprocess.run(command, cwd=tree, env=environment, text=True, capture_output=True)
    assert done.returncode == 0, done.stdout[-4000:] + done.stderr[-2000:]


def test_the_provider_fulfils_the_kits_contract(fork: Path) -> None:
    python(fork, "pytest", "tests/unit/ingestion/providers/test_binance.py")


@pytest.mark.timeout(900)
def test_the_indicator_is_held_by_all_that_holds_the_others(fork: Path) -> None:
    page = fork / "docs" / "database.md"
    [line] = [line for line in page.read_text().splitlines() if line.startswith("| `v1.indicators`")]
    page.write_text(page.read_text().replace(line, line.removesuffix(" |") + ", williams_r_14 |"))
    python(fork, "bench.indicators", "--write")
    tests = ("unit/market/test_indicators.py", "unit/market/test_textbook.py", "unit/bench/test_indicators_page.py")
    columns = ("stream/test_contracts.py", "-k", "columns or documentation")
    python(fork, "pytest", *(f"tests/{name}" for name in tests))
    python(fork, "pytest", f"tests/{columns[0]}", *columns[1:])


@pytest.fixture
def sink(fork: Path) -> ModuleType:
    spec = spec_from_file_location("lines", fork / "sinks" / "lines.py")
    assert spec is not None
    assert spec.loader is not None
    module = module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


@pytest.fixture
def copied(sink: ModuleType, postgres: Database, tmp_path: Path) -> Callable[[], list[tuple[str, int]]]:
    """Runs the sink once; gives the close and revision of all lines that it has written."""
    out = tmp_path / "bars.jsonl"

    def run() -> list[tuple[str, int]]:
        sink.copy_new(postgres.reader, out, out.with_suffix(".cursor"))
        lines = [json.loads(line) for line in out.read_text().splitlines()] if out.exists() else []
        return [(line["close"], line["revision"]) for line in lines]

    return run


def test_the_sink_writes_each_closed_bar_once_and_its_revision_once_more(
    postgres: Database, copied: Callable[[], list[tuple[str, int]]]
) -> None:
    committed = datetime(2026, 1, 1, tzinfo=UTC)
    connection = psycopg2.connect(postgres.writer)
    connection.autocommit = True
    with connection.cursor() as cursor:
        bar(cursor, 0, close=100.5, updated_at=committed)
        bar(cursor, 1, close=101.5, updated_at=committed)
        bar(cursor, 2, close=102.0, is_closed=False, is_final=False, updated_at=committed)
        assert copied() == [(100.5, 0), (101.5, 0)]
        assert copied() == [(100.5, 0), (101.5, 0)]
        cursor.execute(
            "UPDATE core.bars SET close = 101.0, revision = 1, updated_at = updated_at + interval '1 hour' WHERE close = 100.5"
        )
        assert copied() == [(100.5, 0), (101.5, 0), (101.0, 1)]
        assert copied() == [(100.5, 0), (101.5, 0), (101.0, 1)]
    connection.close()
