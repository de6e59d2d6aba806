"""Orders about services, given to the supervisor and waited for; and what the services have to say."""

import time

import typer
from rich.console import Console

from stack import state
from stack.errors import Exit, StackError
from stack.home import Home
from stack.supervision import control
from stack.supervision.logfiles import follow as follow_logs
from stack.supervision.logfiles import tail
from stack.supervision.services import services_of

WELL_LIMIT_S = 90.0
DONE = {"start": "started", "stop": "stopped", "restart": "restarted"}


def order(home: Home, verb: str, names: list[str], console: Console) -> None:
    """Gives the order and, where something starts, waits until it is well."""
    known = services_of(state.require(home).source)
    unknown = [name for name in names if name not in known]
    if unknown:
        raise StackError(Exit.USAGE, f"no service {unknown[0]!r}: there are {', '.join(known)}")
    began = time.monotonic()
    control.call(home, verb, names)
    while verb != "stop":
        mine = [p for p in control.call(home, "status")["processes"].values() if p["service"] in names]
        if mine and all(process["is_well"] for process in mine):
            break
        if time.monotonic() - began > WELL_LIMIT_S:
            slow = next(process for process in mine if not process["is_well"])
            sentence = f"{slow['service']} is {slow['state']} after {WELL_LIMIT_S:.0f} s: {slow['detail']} (log: {slow['log']})"
            raise StackError(Exit.SERVICE_FAILS, sentence)
        time.sleep(0.2)
    console.print(f"{', '.join(names)} {DONE[verb]} ({time.monotonic() - began:.1f} s)", highlight=False)


def show_logs(home: Home, name: str | None, *, follow: bool, lines: int) -> None:
    """The last lines of a service's logs (of all without a name), then the new ones if asked."""
    paths = sorted(
        path
        for path in home.logs.glob("*.log")
        if name is None or path.stem == name or path.stem.startswith(f"{name}-")
    )
    if not paths:
        known = ", ".join(sorted(path.stem for path in home.logs.glob("*.log"))) or "none yet"
        wanted = f"no log of {name!r}" if name else f"no logs in {home.logs}"
        raise StackError(Exit.USAGE if name else Exit.NOT_READY, f"{wanted}: there are {known}")
    several = len(paths) > 1
    for path in paths:
        for line in tail(path, lines):
            typer.echo(f"{path.stem:<18} {line}" if several else line)
    if follow:
        for path, line in follow_logs(paths):
            typer.echo(f"{path.stem:<18} {line}" if several else line)
