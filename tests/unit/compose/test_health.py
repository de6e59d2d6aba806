"""docker/health.py: whose word a container's health check takes."""

import importlib.util
import os
import time
from pathlib import Path
from types import ModuleType

import psutil
import pytest

from stack.home import REPO
from stack.supervision.process import Health

pytestmark = pytest.mark.unit


@pytest.fixture
def checks() -> ModuleType:
    spec = importlib.util.spec_from_file_location("docker_health", REPO / "docker" / "health.py")
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def test_the_last_word_of_a_process_that_died_is_not_its_successors(checks: ModuleType) -> None:
    assert checks.of_this_life(Health(True, "ok", "committed", 23.0), 15.0) == Health(
        False, "starting", "has not reported since its start"
    )


def test_a_word_since_the_start_is_taken(checks: ModuleType) -> None:
    well = Health(True, "ok", "committed", 4.0)
    assert checks.of_this_life(well, 15.0) is well


def test_what_is_not_well_keeps_its_own_sentence(checks: ModuleType) -> None:
    silent = Health(False, "silent", "last word 41 s ago: ok")
    assert checks.of_this_life(silent, 15.0) is silent


def test_a_container_is_as_old_as_its_first_process(checks: ModuleType, tmp_path: Path) -> None:
    ticks = 500 * os.sysconf("SC_CLK_TCK")
    (tmp_path / "1").mkdir()
    (tmp_path / "1" / "stat").write_text(f"1 (a (b) c) S {' '.join(['0'] * 18)} {ticks} 0 0\n")
    (tmp_path / "uptime").write_text("620.50 1000.00\n")
    assert checks.up_s(tmp_path) == pytest.approx(120.5)


@pytest.mark.skipif(not Path("/proc/1/stat").exists(), reason="containers run Linux")
def test_the_kernels_own_first_process_is_measured(checks: ModuleType) -> None:
    assert checks.up_s() == pytest.approx(time.time() - psutil.Process(1).create_time(), abs=60.0)
