"""The supervisor: one daemon a home, which starts the processes, watches them, and takes orders on a socket."""

import asyncio
import contextlib
import fcntl
import json
import os
import signal
import sys
import time
from collections.abc import Callable, Coroutine
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import structlog

from stack import state
from stack.errors import Exit, StackError, of_the_system
from stack.files import write_atomic
from stack.home import REPO, Home
from stack.log import configure as configure_log
from stack.platform import open_platform
from stack.ports import PREFERRED, Claims, choose
from stack.supervision import leftovers, logfiles
from stack.supervision.control import PID_FILE, SOCKET, encode, socket_path
from stack.supervision.orders import obey
from stack.supervision.services import STOP_ORDER, all_processes
from stack.supervision.unit import Unit, give_way

log = structlog.get_logger()

ROTATE_EVERY_S = 15.0
TIDY_EVERY_S = 3600.0
# The first minutes of a platform are for its history.
ARCHIVE_AFTER_S = 300.0
LOWEST_PRIORITY = 19

VERBS = ("start", "stop", "restart", "status", "ports", "shutdown")
Order = Callable[[list[str]], Coroutine[Any, Any, dict[str, Any]]]


class Supervisor:
    """Owns every process of a home, until it is told to end."""

    def __init__(self, home: Home) -> None:
        self.home = home
        self.units: dict[str, Unit] = {}
        self.ended = asyncio.Event()
        self.lock = asyncio.Lock()
        self.claims = Claims()
        self.recording = asyncio.Lock()
        self.orders: dict[str, Order] = {verb: getattr(self, verb) for verb in VERBS}

    async def start(self, names: list[str]) -> dict[str, Any]:
        """Starts processes by their own or their service's name. What runs is left alone."""
        specs = await asyncio.to_thread(lambda: all_processes(open_platform(self.home)))
        for name in chosen(names, {name: spec.service for name, spec in specs.items()}):
            self.units.setdefault(name, Unit(specs[name], on_start=self.record)).start(specs[name])
        return await self.status([])

    async def record(self) -> None:
        """Keeps which processes are ours where the next supervisor finds it."""
        async with self.recording:
            led = {name: (unit.pid, unit.created_s) for name, unit in self.units.items() if unit.pid}
            await asyncio.to_thread(leftovers.record, self.home, led)

    async def stop(self, names: list[str]) -> dict[str, Any]:
        """Stops processes, each group of the order after the one before it. What was never started is stopped already."""
        wanted = {
            name: unit for name, unit in self.units.items() if not names or name in names or unit.spec.service in names
        }
        for together in STOP_ORDER:
            await asyncio.gather(*(wanted[name].stop() for name in together if name in wanted))
        return await self.status([])

    async def restart(self, names: list[str]) -> dict[str, Any]:
        await self.stop(names)
        return await self.start(names)

    async def restart_as_ordered(self, names: list[str]) -> None:
        """An order from the database waits for those from the socket."""
        async with self.lock:
            await self.restart(names)

    async def status(self, _names: list[str]) -> dict[str, Any]:
        return {"pid": os.getpid(), "processes": {name: unit.account() for name, unit in self.units.items()}}

    async def ports(self, _names: list[str]) -> dict[str, Any]:
        """The home's ports, claimed for as long as this supervisor lives; chosen anew only while nothing runs on them."""
        kept = await asyncio.to_thread(state.load, self.home)
        ports = kept.ports if kept else {}
        if set(ports) != set(PREFERRED) or not any(unit.pid for unit in self.units.values()):
            self.claims.release()
            ports = await asyncio.to_thread(choose, PREFERRED, ports, self.claims)
        return {"ports": ports}

    async def shutdown(self, _names: list[str]) -> dict[str, Any]:
        await self.stop([])
        self.ended.set()
        return {"pid": os.getpid(), "processes": {}}

    async def answer(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        """One order a connection: a JSON line in, a JSON line out. Orders that change something wait for each other."""
        with contextlib.suppress(ConnectionError):
            line = await reader.readline()
            try:
                answer = await self.obey(*parsed(line))
            except StackError as error:
                answer = {"error": error.sentence, "code": error.code}
            except OSError as error:
                log.error("order failed", order=line.decode(errors="replace").strip(), error=repr(error))
                told = of_the_system(error)
                answer = {"error": told.sentence, "code": told.code}
            writer.write(encode(answer))
            await writer.drain()
            writer.close()

    async def obey(self, verb: str, names: list[str]) -> dict[str, Any]:
        work = self.orders[verb]
        if verb in ("status", "start"):
            return await work(names)
        async with self.lock:
            return await work(names)

    async def keep_house(self) -> None:
        """Keeps the logs within their limits and records which processes are ours."""
        tidied = 0.0
        while True:
            try:
                await asyncio.to_thread(logfiles.rotate, self.home.logs)
                if time.monotonic() - tidied > TIDY_EVERY_S:
                    tidied = time.monotonic()
                    await asyncio.to_thread(logfiles.remove_old, self.home.airflow / "logs", time.time())
            except OSError as error:
                log.warning("logs could not be kept within their limits", error=str(error))
            await asyncio.sleep(ROTATE_EVERY_S)

    async def archive_classes(self) -> None:
        """Once, behind everything else: the next starts of Spark take half the processor time then (`stack/java/classes.py`)."""
        await asyncio.sleep(ARCHIVE_AFTER_S)
        environment = await asyncio.to_thread(lambda: open_platform(self.home).environment())
        making = await asyncio.create_subprocess_exec(
            *(sys.executable, "-m", "stack.java.classes"),
            stdin=asyncio.subprocess.DEVNULL,
            stdout=asyncio.subprocess.DEVNULL,
            stderr=asyncio.subprocess.PIPE,
            env=environment,
            cwd=REPO,
            start_new_session=True,
        )
        give_way(making.pid, LOWEST_PRIORITY)
        try:
            _, said = await making.communicate()
        finally:
            if making.returncode is None:
                os.killpg(making.pid, signal.SIGKILL)
        if making.returncode:
            log.warning("starts of Spark stay slow", why=said.decode(errors="replace").strip())

    async def run(self) -> None:
        """Takes orders until `shutdown` or SIGTERM; both stop everything in order."""
        loop = asyncio.get_running_loop()
        loop.set_default_executor(ThreadPoolExecutor(max_workers=16))
        for number in (signal.SIGTERM, signal.SIGINT):
            loop.add_signal_handler(number, lambda: asyncio.ensure_future(self.shutdown([])))
        with socket_path(self.home) as path:
            (self.home.run / SOCKET).unlink(missing_ok=True)
            server = await asyncio.start_unix_server(self.answer, path=path)
        (self.home.run / SOCKET).chmod(0o600)
        beside = [self.keep_house(), self.archive_classes(), obey(self.home, self.restart_as_ordered)]
        tasks = [asyncio.create_task(work) for work in beside]
        write_atomic(self.home.run / PID_FILE, f"{os.getpid()}\n")
        log.info("supervisor ready", home=str(self.home.path))
        await self.ended.wait()
        for task in tasks:
            task.cancel()
        await asyncio.sleep(0.1)  # lets the answer to `shutdown` out
        server.close()
        (self.home.run / SOCKET).unlink(missing_ok=True)
        (self.home.run / PID_FILE).unlink(missing_ok=True)
        log.info("supervisor ends")


def parsed(line: bytes) -> tuple[str, list[str]]:
    """Verb and names of an order. Raises `StackError`."""
    try:
        order = json.loads(line)
        verb, names = order["verb"], order["names"]
    except (ValueError, KeyError, TypeError) as error:
        raise StackError(Exit.USAGE, f"not an order: {line.decode(errors='replace').strip()}") from error
    if verb not in VERBS:
        raise StackError(Exit.USAGE, f"no order {verb!r}: there are {', '.join(VERBS)}")
    return verb, names


def chosen(names: list[str], services: dict[str, str]) -> list[str]:
    """The processes that a list of process or service names means; all without names. Raises `StackError`."""
    if not names:
        return list(services)
    found = [name for name, service in services.items() if name in names or service in names]
    unknown = [name for name in names if name not in services and name not in services.values()]
    if unknown:
        raise StackError(Exit.USAGE, f"no process {unknown[0]!r}: there are {', '.join(services)}")
    return found


def take(descriptor: int, tries: int = 20) -> bool:
    """The home's lock. A command that only looks holds it for an instant, so it is tried for a second."""
    for _ in range(tries):
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            time.sleep(0.05)
        else:
            return True
    return False


def supervise(home: Home) -> int:
    """The daemon's main: one for a home, held by a lock that the kernel drops with the process."""
    configure_log(sys.stdout)
    with (home.run / "supervisor.lock").open("w") as lock:
        if not take(lock.fileno()):
            return 0  # another one was quicker: it takes the orders
        cleared = leftovers.clear(home)
        if cleared:
            log.warning("ended what a killed supervisor left behind", processes=cleared)
        asyncio.run(Supervisor(home).run())
    return 0
