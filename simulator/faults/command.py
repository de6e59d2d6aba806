"""The command line of faults: `python -m simulator faults …`, which speaks to a running exchange."""

import tomllib
from pathlib import Path
from typing import Annotated, Any
from urllib.error import HTTPError, URLError
from urllib.request import ProxyHandler, Request, build_opener

import orjson
import typer

from simulator.faults.kinds import described
from simulator.faults.scenario import BadScenario, jsonable, read_scenario

REFUSED, AWAY = 2, 3
TIMEOUT_S = 10.0

app = typer.Typer(no_args_is_help=True, help="What goes wrong at the simulated exchange, on purpose.")
Port = Annotated[
    int, typer.Option("--port", envvar="CANDLESTREAM_SIMULATOR_PORT", help="The exchange's port on 127.0.0.1.")
]
DEFAULT_PORT = 8899


@app.command("list")
def list_faults(port: Port = DEFAULT_PORT) -> None:
    """What is on, what is to come, what is over."""
    show(asked(port, "GET", "/admin/faults"))


@app.command()
def kinds() -> None:
    """All kinds with their parameters."""
    for kind in described():
        parameters = ", ".join(f"{name}={orjson.dumps(value).decode()}" for name, value in kind["parameters"].items())
        typer.echo(f"{kind['kind']:<20}{kind['what']}\n{'':<20}{parameters}")


@app.command()
def on(
    kind: Annotated[str, typer.Argument(help="One of `kinds`.")],
    setting: Annotated[
        list[str] | None, typer.Argument(help="Parameters as NAME=VALUE, the value in JSON or text.")
    ] = None,
    symbols: Annotated[str | None, typer.Option(help="Which symbols, with commas; all without it.")] = None,
    at: Annotated[str | None, typer.Option(help="+90s, or an ISO time with its offset; now without it.")] = None,
    length: Annotated[str | None, typer.Option("--for", help="How long (2m); until `off` without it.")] = None,
    share: Annotated[float | None, typer.Option(help="Of the requests or ticks, from 0 to 1.")] = None,
    name: Annotated[str | None, typer.Option(help="What to call it.")] = None,
    port: Port = DEFAULT_PORT,
) -> None:
    """Switch a fault on: `on throttle retry_after_s=30 --for 2m --symbols AAPL`."""
    given = {"at": at, "for": length, "share": share, "name": name, "symbols": symbols.split(",") if symbols else None}
    fault = {"kind": kind} | {key: value for key, value in given.items() if value is not None}
    show(asked(port, "POST", "/admin/faults", fault | dict(map(parameter, setting or []))))


@app.command()
def off(
    name: Annotated[str | None, typer.Argument(help="As `list` names it; all of them without one.")] = None,
    port: Port = DEFAULT_PORT,
) -> None:
    """End a fault, or all."""
    show(asked(port, "DELETE", f"/admin/faults/{name}" if name else "/admin/faults"))


@app.command()
def load(file: Annotated[Path, typer.Argument(help="A scenario in TOML.")], port: Port = DEFAULT_PORT) -> None:
    """Add a scenario's faults; relative times count from now, unless the file says when it starts."""
    checked(file)
    show(asked(port, "POST", "/admin/scenario", jsonable(tomllib.loads(file.read_text(encoding="utf-8")))))


@app.command()
def check(file: Annotated[Path, typer.Argument(help="A scenario in TOML.")]) -> None:
    """Read a scenario and say what is wrong with it, without an exchange."""
    typer.echo(f"{file}: {checked(file)} faults, all well")


def checked(file: Path) -> int:
    """How many faults a file has. Exits when it is no scenario."""
    try:
        return len(read_scenario(file).faults)
    except (BadScenario, OSError) as error:
        raise refuse(str(error), REFUSED) from error


def parameter(text: str) -> tuple[str, Any]:
    """`NAME=VALUE`; what is not JSON is text."""
    name, equals, value = text.partition("=")
    if not equals or not name:
        raise refuse(f"{text!r} is not NAME=VALUE", REFUSED)
    try:
        return name, orjson.loads(value)
    except orjson.JSONDecodeError:
        return name, value


def asked(port: int, method: str, path: str, body: Any = None) -> dict[str, Any]:
    """The exchange's answer. Exits with one sentence when it refuses or is away."""
    request = Request(
        f"http://127.0.0.1:{port}{path}",
        method=method,
        data=None if body is None else orjson.dumps(body),
        headers={"Content-Type": "application/json"},
    )
    try:
        with build_opener(ProxyHandler({})).open(request, timeout=TIMEOUT_S) as answered:
            return orjson.loads(answered.read())  # type: ignore[no-any-return]
    except HTTPError as error:
        raise refuse(orjson.loads(error.read())["error"], REFUSED) from error
    except (URLError, OSError) as error:
        raise refuse(f"no simulated exchange answers on port {port}: {error}", AWAY) from error


def refuse(sentence: str, code: int) -> typer.Exit:
    typer.echo(sentence, err=True)
    return typer.Exit(code)


def show(answer: dict[str, Any]) -> None:
    """The faults as lines, with the exchange's own time above them."""
    typer.echo(f"exchange time {answer['exchange_time']}")
    for each in answer["faults"]:
        symbols = ",".join(each["fault"]["symbols"]) or "all symbols"
        until = each["to"] or "until it is switched off"
        typer.echo(f"{each['state']:<8}{each['name']:<24}{symbols:<20}{each['from']} .. {until}")
