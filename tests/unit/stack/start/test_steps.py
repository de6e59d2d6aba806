import io
import json
import threading
import time
from pathlib import Path

import pytest
from rich.console import Console

from stack.start.steps import Step, Steps

pytestmark = pytest.mark.unit


def steps() -> tuple[Steps, io.StringIO]:
    out = io.StringIO()
    return Steps(Console(file=out), time.monotonic()), out


def test_a_step_begins_when_those_it_needs_are_done() -> None:
    runner, _ = steps()
    order: list[str] = []
    note = lambda name: lambda: order.append(name)  # noqa: E731
    runner.all([Step("c", ("a", "b"), note("c")), Step("a", (), note("a")), Step("b", ("a",), note("b"))])
    assert order == ["a", "b", "c"]


def test_independent_steps_run_side_by_side() -> None:
    runner, _ = steps()
    both = threading.Barrier(2, timeout=5)
    runner.all([Step("a", (), lambda: both.wait() and None), Step("b", (), lambda: both.wait() and None)])


def test_each_step_says_its_time_and_what_it_found() -> None:
    runner, out = steps()
    runner.all([Step("java", (), lambda: "Java 17")])
    assert out.getvalue().split() == ["java", "0.0", "s", "Java", "17"]


def test_an_error_ends_it_and_nothing_new_begins() -> None:
    runner, _ = steps()
    begun: list[str] = []

    def fail() -> None:
        raise ValueError("broken")

    with pytest.raises(ValueError, match="broken"):
        runner.all([Step("a", (), fail), Step("b", ("a",), lambda: begun.append("b"))])
    assert begun == []


def test_a_step_that_needs_what_nobody_does_is_an_error_not_a_hang() -> None:
    runner, _ = steps()
    with pytest.raises(ValueError, match="nobody does: a"):
        runner.all([Step("a", ("ghost",), lambda: None)])


def test_the_times_are_kept_for_the_benchmark(tmp_path: Path) -> None:
    runner, _ = steps()
    runner.all([Step("a", (), lambda: None)])
    runner.save(tmp_path / "steps.json")
    body = json.loads((tmp_path / "steps.json").read_text())
    assert set(body) == {"total_s", "steps_s"}
    assert set(body["steps_s"]) == {"a"}
