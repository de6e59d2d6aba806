"""A whole platform in a temporary home, fed by the simulated exchange, for all tests of this folder."""

import json
import os
import shutil
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import psycopg2
import pytest

from stack.home import REPO, open_home
from stack.platform import Platform, open_platform
from stack.supervision.leftovers import of_home

# Two, and not the default's five: the history of a first start takes the processors that these tests wait for.
SYMBOLS = "AAPL,MSFT"


@dataclass(frozen=True)
class Running:
    """A platform as its user sees it: by the verbs."""

    home: Path

    def run(self, *words: str, limit_s: float = 300.0) -> "subprocess.CompletedProcess[str]":
        command = [sys.executable, "-m", "stack", *words, "--home", str(self.home)]
        environment = os.environ | {"CANDLESTREAM_SYMBOLS": SYMBOLS}
        return subprocess.run(
            command, check=False, capture_output=True, text=True, cwd=REPO, timeout=limit_s, env=environment
        )

    def done(self, *words: str) -> str:
        said = self.run(*words)
        assert said.returncode == 0, f"{words}: exit {said.returncode}\n{said.stdout}\n{said.stderr}"
        return said.stdout

    def status(self) -> dict[str, Any]:
        body: dict[str, Any] = json.loads(self.run("status", "--json").stdout)
        return body

    def pid(self, service: str) -> int:
        return int(self.status()["services"][service]["pid"])

    def wait(self, condition: Callable[[dict[str, Any]], bool], limit_s: float = 120.0) -> dict[str, Any]:
        limit = time.monotonic() + limit_s
        while True:
            body = self.status()
            if condition(body):
                return body
            assert time.monotonic() < limit, f"waited in vain: {json.dumps(body['services'], indent=1)}"
            time.sleep(0.5)

    @property
    def platform(self) -> Platform:
        return open_platform(open_home(self.home))

    def rows(self, query: str, *values: object) -> list[tuple[Any, ...]]:
        """What a reader sees."""
        connection = psycopg2.connect(**self.platform.reader_dsn)
        with connection, connection.cursor() as cursor:
            cursor.execute(query, values)
            rows: list[tuple[Any, ...]] = cursor.fetchall()
        connection.close()
        return rows


@pytest.fixture(scope="session")
def running() -> Iterator[Running]:
    """Up when the first test begins; down, and nothing left, after the last."""
    folder = Path(tempfile.mkdtemp(prefix="candlestream-platform-"))
    folder.chmod(0o755)
    home = folder / "home"
    jars = open_home(None).jars
    if jars.is_dir():  # what was downloaded once is not downloaded for each run
        # What is hidden is being downloaded just now, by tests that run beside these.
        shutil.copytree(jars, home / "jars", ignore=shutil.ignore_patterns(".*"))
    running = Running(home)
    try:
        running.done("up", "--source", "simulator", "--seed", "7")
        yield running
    finally:
        running.run("down")
        left = of_home(open_home(home))
        if os.environ.get("CANDLESTREAM_KEEP"):
            sys.stderr.write(f"kept: {folder}\n")
        else:
            shutil.rmtree(folder, ignore_errors=True)
        assert left == []
