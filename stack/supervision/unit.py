"""One supervised process: started, probed, started again with backoff when it dies, stopped with its whole group."""

import asyncio
import contextlib
import os
import signal
import time
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import psutil
import structlog

from stack.supervision.leftovers import born_s, of_process
from stack.supervision.logfiles import last_words
from stack.supervision.process import PROCESS_MARK, Health, ProcessSpec

log = structlog.get_logger()

FIRST_BACKOFF_S = 0.5
LONGEST_BACKOFF_S = 30.0
# A process that ran well for this long has earned a quick restart again.
STEADY_S = 60.0
# So long a process waits for the one that it needs; then it starts all the same and says itself what is missing.
WAIT_LIMIT_S = 60.0
PROBE_STARTING_S = 0.5
PROBE_RUNNING_S = 5.0
# What was well and does not answer is believed to be so after this time: on a busy machine an answer may come too late.
MISSED_FOR_S = 5.0


def backoff_s(failures: int) -> float:
    """How long to wait before the next start: half a second, doubled by each failure in a row."""
    return min(FIRST_BACKOFF_S * 2.0 ** max(0, failures - 1), LONGEST_BACKOFF_S)


def ending(code: int) -> str:
    """An exit in words."""
    return f"killed by {signal.Signals(-code).name}" if code < 0 else f"exit code {code}"


async def nothing() -> None:
    """What a unit does after a start when nobody asked for more."""


@dataclass
class Unit:
    """A process and what is known of it.

    `state`: stopped, starting, ok (or the process's own word), unreachable, failing, stopping.
    """

    spec: ProcessSpec
    state: str = "stopped"
    detail: str = ""
    pid: int | None = None
    created_s: float = 0.0
    is_well: bool = False
    restarts: int = 0
    failures: int = 0
    last_exit: str = ""
    on_start: Callable[[], Awaitable[None]] = field(default=nothing)
    _loop: asyncio.Task[None] | None = None
    _stopping: asyncio.Event = field(default_factory=asyncio.Event)

    def account(self) -> dict[str, Any]:
        """What `status` says of it."""
        return {
            "service": self.spec.service,
            "state": self.state,
            "is_well": self.is_well,
            "detail": self.detail,
            "pid": self.pid,
            "restarts": self.restarts,
            "failures": self.failures,
            "last_exit": self.last_exit,
            "log": str(self.spec.log),
        }

    def start(self, spec: ProcessSpec) -> None:
        """Begins to run it; nothing happens if it runs already."""
        if self._loop is not None and not self._loop.done():
            return
        self.spec = spec
        self.failures = 0
        self.state, self.detail = "starting", ""
        self._stopping = asyncio.Event()
        self._loop = asyncio.create_task(self._run())
        self._loop.add_done_callback(self._report)

    def _report(self, loop: asyncio.Task[None]) -> None:
        """A fault of the supervisor itself must be seen in `status`, not die with its task."""
        fault = None if loop.cancelled() else loop.exception()
        if fault is not None:
            log.error("supervision failed", process=self.spec.name, error=repr(fault))
            self.state, self.is_well, self.detail = "failing", False, f"the supervisor failed: {fault!r}"

    async def stop(self) -> None:
        """Ends it and its group. Returns when nothing of it is left."""
        self._stopping.set()
        if self._loop is not None:
            await asyncio.wait((self._loop,))
            if self.pid:  # still so if the supervision itself failed
                await asyncio.to_thread(clear_group, self.spec, self.pid)
        self.state, self.detail, self.pid, self.is_well = "stopped", "", None, False

    async def _run(self) -> None:
        while not self._stopping.is_set():
            began = time.monotonic()
            reason = await self._once()
            if self._stopping.is_set():
                return
            self.failures = 1 if time.monotonic() - began > STEADY_S else self.failures + 1
            self.restarts += 1
            self.last_exit = reason
            wait_s = backoff_s(self.failures)
            self.state, self.is_well, self.pid = "failing", False, None
            self.detail = f"{reason}; next start in {wait_s:.0f} s" if wait_s >= 1 else reason
            log.warning(
                "process ended", process=self.spec.name, reason=reason, restarts=self.restarts, next_start_s=wait_s
            )
            with contextlib.suppress(TimeoutError):
                await asyncio.wait_for(self._stopping.wait(), wait_s)

    async def _once(self) -> str:
        """One life of the process; returns how it ended."""
        self.state, self.is_well = "starting", False
        await self._wait()
        if self._stopping.is_set():
            return "stopped"
        try:
            await asyncio.to_thread(self.spec.prepare)
            bound = await asyncio.to_thread(self.spec.bound_to)
            process = await self._spawn()
        except OSError as error:
            return f"could not be started: {error.strerror} ({error.filename})"
        self.pid, self.created_s = process.pid, born_s(process.pid)
        if self.spec.niceness:
            give_way(process.pid, self.spec.niceness)
        await self.on_start()
        log.info("process started", process=self.spec.name, pid=process.pid)
        exited = asyncio.create_task(process.wait())
        watch = asyncio.create_task(self._watch(exited, bound))
        stop = asyncio.create_task(self._stopping.wait())
        await asyncio.wait((exited, watch, stop), return_when=asyncio.FIRST_COMPLETED)
        watch.cancel()
        if not exited.done():
            self.state = "stopping"
            await self._end(process, exited)
        stop.cancel()
        await asyncio.to_thread(clear_group, self.spec, process.pid)
        self.pid = None  # the number may be somebody else's from here on
        code = exited.result()
        log.info("process gone", process=self.spec.name, how=ending(code))
        words = await asyncio.to_thread(last_words, self.spec.log)
        return f"{ending(code)}: {words}" if words and code > 0 else ending(code)

    async def _wait(self) -> None:
        """Until what it needs is well."""
        until = time.monotonic() + WAIT_LIMIT_S
        while not self._stopping.is_set() and time.monotonic() < until:
            health = await asyncio.to_thread(unwell_when_failing, self.spec.name, self.spec.waits_for)
            if health.is_well:
                return
            self.detail = f"waits: {health.detail}"
            with contextlib.suppress(TimeoutError):
                await asyncio.wait_for(self._stopping.wait(), PROBE_STARTING_S)

    async def _spawn(self) -> asyncio.subprocess.Process:
        with self.spec.log.open("ab") as out:
            return await asyncio.create_subprocess_exec(
                *self.spec.command,
                stdin=asyncio.subprocess.DEVNULL,
                stdout=out,
                stderr=asyncio.subprocess.STDOUT,
                env=self.spec.environment | {PROCESS_MARK: self.spec.name},
                cwd=self.spec.cwd,
                start_new_session=True,
            )

    async def _end(self, process: asyncio.subprocess.Process, exited: "asyncio.Task[int]") -> None:
        with contextlib.suppress(ProcessLookupError):
            process.send_signal(self.spec.stop_signal)
        done, _ = await asyncio.wait((exited,), timeout=self.spec.stop_limit_s)
        if not done:
            log.warning("process does not stop, killing it", process=self.spec.name, after_s=self.spec.stop_limit_s)
            with contextlib.suppress(ProcessLookupError):
                os.killpg(process.pid, signal.SIGKILL)
            await exited

    async def _watch(self, exited: "asyncio.Task[int]", bound: str) -> None:
        """Probes it for as long as it lives or until it must end: it hangs, or what it is bound to was started again."""
        began = time.monotonic()
        unwell_since: float | None = None
        was_well = False
        progress, moved = "", began
        while not exited.done():
            health = await asyncio.to_thread(unwell_when_failing, self.spec.name, self.spec.probe)
            now = time.monotonic()
            if health.age_s is not None and health.age_s > now - began:
                health = Health(False, "starting", "has not reported yet")  # that was the last life's word
            if health.is_well:
                was_well, unwell_since = True, None
            else:
                unwell_since = unwell_since or now
            if not (was_well and is_unanswered(health)):
                self._take(health)
            elif unwell_since and now - unwell_since > MISSED_FOR_S:
                self._take(replace(health, state="unreachable"))
            life = await asyncio.to_thread(self.spec.bound_to)
            if bound and life and life != bound:
                log.warning("what it is bound to was started again, so is this", process=self.spec.name)
                return
            bound = bound or life
            seen = scheduled(self.pid)
            if seen != progress or not seen:
                progress, moved = seen, now
            if was_well and unwell_since and self.pid and self._hangs(now - unwell_since, now - moved):
                log.warning("process hangs, killing it", process=self.spec.name, detail=health.detail)
                with contextlib.suppress(ProcessLookupError):
                    os.killpg(self.pid, signal.SIGKILL)
                return
            await asyncio.sleep(PROBE_RUNNING_S if health.is_well else PROBE_STARTING_S)

    def _hangs(self, unwell_s: float, still_s: float) -> bool:
        """Whether it has been unwell, or unwell and without a movement, for as long as its kind may be."""
        hung_s, still_limit_s = self.spec.hung_after_s, self.spec.still_after_s
        stands_still = still_limit_s is not None and min(unwell_s, still_s) > still_limit_s
        return stands_still or (hung_s is not None and unwell_s > hung_s)

    def _take(self, health: Health) -> None:
        if self._stopping.is_set():
            return
        self.is_well = health.is_well
        self.state = health.state or ("ok" if health.is_well else "starting")
        self.detail = health.detail


def is_unanswered(health: Health) -> bool:
    """Whether a probe has nothing but silence to go by: no word of the process itself, neither now nor before."""
    return health.state == "starting" and health.age_s is None


def unwell_when_failing(process: str, probe: Callable[[], Health]) -> Health:
    """Asks a probe. One that fails in a way nobody foresaw means unwell: it must not end the watch."""
    try:
        return probe()
    except Exception as error:  # noqa: BLE001 (see above; it is logged and shown)
        log.warning("probe failed", process=process, error=repr(error))
        return Health(False, "starting", f"the probe failed: {error!r}")


def scheduled(pid: int | None) -> str:
    """What the kernel counts of a process's main thread: the time it ran, the time it waited for a processor, how often it came
    to one. Empty where that is not told."""
    try:
        return Path(f"/proc/{pid}/schedstat").read_text()
    except OSError:
        return ""


def give_way(pid: int, niceness: int) -> None:
    """Lowers the priority of a process and of all that it will start.

    Linux shares its processors between sessions first (sched(7), autogroups), and each of our processes leads one: its own niceness
    counts inside of it alone, so the session's is set, too.
    """
    with contextlib.suppress(ProcessLookupError):
        os.setpriority(os.PRIO_PROCESS, pid, niceness)
    # Not there on other systems, nor where autogroups are not built in.
    with contextlib.suppress(OSError):
        Path(f"/proc/{pid}/autogroup").write_text(str(niceness))


def clear_group(spec: ProcessSpec, pid: int) -> None:
    """Kills what a process that is gone left behind: its group, and children that made groups of their own."""
    with contextlib.suppress(ProcessLookupError, PermissionError):
        os.killpg(pid, signal.SIGKILL)
    for process in of_process(spec.environment, spec.name):
        with contextlib.suppress(psutil.Error):
            process.kill()
