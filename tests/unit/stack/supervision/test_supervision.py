"""Real processes under a real unit: what dies is started again, what is stopped leaves nothing."""

import asyncio
import os
import signal
import sys
import time
from collections.abc import Callable
from pathlib import Path

import pytest

from stack.errors import Exit, StackError
from stack.home import Home
from stack.supervision import control, leftovers
from stack.supervision.process import HOME_MARK, WELL, Health, ProcessSpec
from stack.supervision.supervisor import Supervisor, chosen, parsed
from stack.supervision.unit import LONGEST_BACKOFF_S, Unit, backoff_s, ending

pytestmark = pytest.mark.unit

SLEEP = "import time; print('up', flush=True); time.sleep(60)"
WITH_CHILD = (
    f"import subprocess, sys; p = subprocess.Popen([sys.executable, '-c', {SLEEP!r}], start_new_session=True); {SLEEP}"
)


def spec(tmp_path: Path, code: str, probe: Callable[[], Health] = lambda: WELL, **more: object) -> ProcessSpec:
    return ProcessSpec(
        name="one",
        service="one",
        command=[sys.executable, "-S", "-c", code],
        environment={**os.environ, HOME_MARK: str(tmp_path)},
        log=tmp_path / "one.log",
        probe=probe,
        cwd=tmp_path,
        **more,  # type: ignore[arg-type]
    )


def wait_for(condition: Callable[[], bool], limit_s: float = 10.0) -> None:
    limit = time.monotonic() + limit_s
    while not condition():
        assert time.monotonic() < limit, "waited in vain"
        time.sleep(0.01)


async def until(condition: Callable[[], bool], limit_s: float = 10.0) -> None:
    limit = time.monotonic() + limit_s
    while not condition():
        assert time.monotonic() < limit, "waited in vain"
        await asyncio.sleep(0.01)


def test_what_is_killed_is_started_again_and_counted(tmp_path: Path) -> None:
    async def scenario() -> None:
        unit = Unit(spec(tmp_path, SLEEP))
        unit.start(unit.spec)
        await until(lambda: unit.is_well)
        first = unit.pid
        assert first is not None
        os.kill(first, signal.SIGKILL)
        await until(lambda: unit.is_well and unit.pid not in (None, first))
        assert (unit.restarts, unit.last_exit) == (1, "killed by SIGKILL")
        await unit.stop()

    asyncio.run(scenario())


def test_what_is_bound_to_another_process_is_started_again_with_it(tmp_path: Path) -> None:
    async def scenario() -> None:
        life = ["1"]
        unit = Unit(spec(tmp_path, SLEEP, lambda: Health(False, "starting"), bound_to=lambda: life[0]))
        unit.start(unit.spec)
        await until(lambda: unit.pid is not None)
        first = unit.pid
        life[0] = ""  # it is down, which is not another life
        await asyncio.sleep(0.7)
        assert unit.pid == first
        life[0] = "2"
        await until(lambda: unit.pid not in (None, first))
        assert unit.restarts == 1
        await unit.stop()

    asyncio.run(scenario())


def test_what_ends_at_once_is_told_with_its_last_words(tmp_path: Path) -> None:
    async def scenario() -> None:
        unit = Unit(spec(tmp_path, "print('no such broker'); raise SystemExit(3)", lambda: Health(False, "starting")))
        unit.start(unit.spec)
        await until(lambda: unit.failures == 2)
        assert unit.last_exit == "exit code 3: no such broker"
        await unit.stop()
        assert unit.state == "stopped"

    asyncio.run(scenario())


def test_stopping_leaves_no_child_even_in_a_session_of_its_own(tmp_path: Path) -> None:
    async def scenario() -> None:
        unit = Unit(spec(tmp_path, WITH_CHILD))
        unit.start(unit.spec)
        await until(lambda: (tmp_path / "one.log").exists() and (tmp_path / "one.log").read_text().count("up") == 2)
        assert len(leftovers.marked({HOME_MARK: str(tmp_path)})) == 2
        await unit.stop()
        await until(lambda: leftovers.marked({HOME_MARK: str(tmp_path)}) == [])

    asyncio.run(scenario())


def test_what_ignores_the_signal_is_killed_after_its_limit(tmp_path: Path) -> None:
    stubborn = f"import signal; signal.signal(signal.SIGTERM, signal.SIG_IGN); {SLEEP}"

    async def scenario() -> None:
        unit = Unit(spec(tmp_path, stubborn, stop_limit_s=0.3))
        unit.start(unit.spec)
        await until(lambda: "up" in (tmp_path / "one.log").read_text() if (tmp_path / "one.log").exists() else False)
        began = time.monotonic()
        await unit.stop()
        assert 0.3 <= time.monotonic() - began < 5

    asyncio.run(scenario())


@pytest.mark.slow
def test_a_process_that_hangs_after_it_was_well_is_started_again(tmp_path: Path) -> None:
    answers = iter([WELL])

    async def scenario() -> None:
        probe = lambda: next(answers, Health(False, "silent", "says nothing"))  # noqa: E731
        unit = Unit(spec(tmp_path, SLEEP, probe, hung_after_s=0.2))
        unit.start(unit.spec)
        await until(lambda: unit.restarts == 1, limit_s=15)
        assert unit.last_exit == "killed by SIGKILL"
        await unit.stop()

    asyncio.run(scenario())


@pytest.mark.skipif(not Path("/proc/self/schedstat").exists(), reason="the kernel does not count it")
@pytest.mark.parametrize(
    ("code", "is_killed"),
    [("import time; time.sleep(60)", True), ("while True: pass", False)],
    ids=["stands still", "is at work"],
)
def test_an_unwell_process_that_stands_still_is_killed_long_before_one_that_is_at_work(
    tmp_path: Path, code: str, is_killed: bool
) -> None:
    answers = iter([WELL])

    async def scenario() -> None:
        probe = lambda: next(answers, Health(False, "starting", "Airflow says scheduler is unhealthy"))  # noqa: E731
        unit = Unit(spec(tmp_path, code, probe, hung_after_s=600.0, still_after_s=1.0))
        unit.start(unit.spec)
        await until(lambda: unit.is_well)
        if is_killed:
            await until(lambda: unit.restarts == 1, limit_s=30)
        else:
            await asyncio.sleep(9)
            assert unit.restarts == 0
        await unit.stop()

    asyncio.run(scenario())


def test_what_was_well_and_does_not_answer_is_unreachable_when_it_lasts(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("stack.supervision.unit.PROBE_RUNNING_S", 0.02)
    monkeypatch.setattr("stack.supervision.unit.PROBE_STARTING_S", 0.02)
    monkeypatch.setattr("stack.supervision.unit.MISSED_FOR_S", 0.4)
    silence, asked = Health(False, "starting", "no answer"), 0
    answers = iter([WELL, silence, WELL])
    seen: list[tuple[str, bool]] = []

    def probe() -> Health:
        nonlocal asked
        asked += 1
        return next(answers, silence)

    async def scenario() -> None:
        unit = Unit(spec(tmp_path, SLEEP, probe))
        unit.start(unit.spec)
        await until(lambda: unit.is_well)
        while unit.is_well:
            seen.append((unit.state, unit.is_well))
            await asyncio.sleep(0.01)
        assert set(seen) == {("ok", True)}, "one answer that is missed is no trouble"
        assert asked > 4
        assert (unit.state, unit.detail, unit.restarts) == ("unreachable", "no answer", 0)
        await unit.stop()

    asyncio.run(scenario())


def test_the_word_of_the_last_life_does_not_count(tmp_path: Path) -> None:
    async def scenario() -> None:
        unit = Unit(spec(tmp_path, SLEEP, lambda: Health(True, "ok", "from before", age_s=20.0)))
        unit.start(unit.spec)
        await until(lambda: unit.detail == "has not reported yet")
        assert not unit.is_well
        await unit.stop()

    asyncio.run(scenario())


def test_a_probe_that_breaks_means_unwell_and_does_not_end_the_watch(tmp_path: Path) -> None:
    answers = iter([RuntimeError("unforeseen")])

    def probe() -> Health:
        for error in answers:
            raise error
        return WELL

    async def scenario() -> None:
        unit = Unit(spec(tmp_path, SLEEP, probe))
        unit.start(unit.spec)
        await until(lambda: "unforeseen" in unit.detail)
        await until(lambda: unit.is_well)
        await unit.stop()

    asyncio.run(scenario())


def test_a_program_that_is_missing_is_told_by_name(tmp_path: Path) -> None:
    async def scenario() -> None:
        missing = spec(tmp_path, SLEEP)
        unit = Unit(
            ProcessSpec(**{**{f: getattr(missing, f) for f in missing.__slots__}, "command": ["/no/such/program"]})
        )
        unit.start(unit.spec)
        await until(lambda: unit.failures >= 1)
        assert "No such file" in unit.last_exit
        assert "/no/such/program" in unit.last_exit
        await unit.stop()

    asyncio.run(scenario())


def test_backoff_doubles_up_to_its_limit() -> None:
    assert [backoff_s(n) for n in range(1, 5)] == [0.5, 1.0, 2.0, 4.0]
    assert backoff_s(50) == LONGEST_BACKOFF_S


def test_an_end_is_told_in_words() -> None:
    assert ending(-9) == "killed by SIGKILL"
    assert ending(2) == "exit code 2"


def test_a_service_means_all_its_processes() -> None:
    services = {"airflow-api": "airflow", "airflow-scheduler": "airflow", "kafka": "kafka"}
    assert chosen(["airflow"], services) == ["airflow-api", "airflow-scheduler"]
    assert chosen([], services) == list(services)
    with pytest.raises(StackError, match="no process 'nonsense'"):
        chosen(["nonsense"], services)


@pytest.mark.parametrize("line", [b"", b"[]", b'{"verb": "fly", "names": []}', b'{"verb": "stop"}', b"\xff"])
def test_what_is_no_order_is_refused_in_a_sentence(line: bytes) -> None:
    with pytest.raises(StackError) as refused:
        parsed(line)
    assert refused.value.code == Exit.USAGE


def test_a_service_that_was_never_started_is_stopped_without_a_word(tmp_path: Path) -> None:
    assert asyncio.run(Supervisor(Home(tmp_path)).stop(["dashboard"]))["processes"] == {}


def test_what_the_supervisor_refuses_keeps_its_exit_code_on_the_way(tmp_path: Path) -> None:
    home = Home(tmp_path)
    home.prepare()

    async def refuse(_names: list[str]) -> dict[str, object]:
        raise StackError(Exit.PORT, "no free port for kafka")

    async def scenario() -> StackError:
        supervisor = Supervisor(home)
        supervisor.orders["ports"] = refuse
        async with await asyncio.start_unix_server(supervisor.answer, path=str(home.run / control.SOCKET)):
            with pytest.raises(StackError) as refused:
                await asyncio.to_thread(control.call, home, "ports")
        return refused.value

    error = asyncio.run(scenario())
    assert (error.code, error.sentence) == (Exit.PORT, "no free port for kafka")


def test_a_process_starts_when_what_it_waits_for_is_well_and_says_so_until_then(tmp_path: Path) -> None:
    async def scenario() -> None:
        needed = Health(False, "starting", "the server does not answer")
        unit = Unit(spec(tmp_path, SLEEP, waits_for=lambda: needed))
        unit.start(unit.spec)
        await until(lambda: unit.detail == "waits: the server does not answer")
        assert unit.pid is None
        needed = WELL
        await until(lambda: unit.is_well)
        await unit.stop()

    asyncio.run(scenario())


def test_a_process_that_waits_can_be_stopped(tmp_path: Path) -> None:
    async def scenario() -> None:
        unit = Unit(spec(tmp_path, SLEEP, waits_for=lambda: Health(False)))
        unit.start(unit.spec)
        await until(lambda: unit.detail.startswith("waits"))
        await unit.stop()
        assert unit.state == "stopped"
        assert unit.restarts == 0
        assert unit.spec.log.exists() is False

    asyncio.run(scenario())
