"""The platform as a whole: up, down, status, doctor, reset."""

import json
import time
from pathlib import Path
from typing import Annotated

import typer

from stack import state
from stack.errors import Exit
from stack.home import open_home
from stack.state import Hours, Source
from stack.verbs import ingestion
from stack.verbs.options import HomeOption, console

verbs = typer.Typer()


@verbs.command()
def up(
    home: HomeOption = None,
    source: Annotated[Source | None, typer.Option(help="Where prices come from; kept by the home.")] = None,
    hours: Annotated[Hours | None, typer.Option(help="The simulated exchange's hours; kept by the home.")] = None,
    seed: Annotated[int | None, typer.Option(help="The simulated exchange's seed; kept by the home.")] = None,
    postgres_bin: Annotated[Path | None, typer.Option(help="Another PostgreSQL's folder of programs.")] = None,
) -> None:
    """Start everything, and return when the first candle is in PostgreSQL."""
    from stack.report.status import account
    from stack.report.summary import tell_ready
    from stack.start.up import Options
    from stack.start.up import up as bring_up

    place = open_home(home)
    began = time.monotonic()
    bring_up(place, Options(source, seed, hours, postgres_bin), console)
    console.print(f"Candlestream is up ({time.monotonic() - began:.0f} s)", highlight=False)
    tell_ready(console, place, state.require(place), account(place))


@verbs.command()
def down(home: HomeOption = None) -> None:
    """Stop everything, in order."""
    from stack.down import down as bring_down

    began = time.monotonic()
    ended = bring_down(open_home(home))
    console.print(f"{ended} ({time.monotonic() - began:.0f} s)", highlight=False)


@verbs.command()
def status(
    home: HomeOption = None,
    as_json: Annotated[bool, typer.Option("--json", help="For programs; the shape is stable.")] = False,
) -> None:
    """What runs, and where. Exit 0 when ready, 3 when not."""
    from stack.report.status import account
    from stack.report.summary import tell_status

    body = account(open_home(home))
    if as_json:
        typer.echo(json.dumps(body, indent=2))
    else:
        tell_status(console, body)
    raise typer.Exit(Exit.OK if body["ready"] else Exit.NOT_READY)


@verbs.command()
def doctor(
    home: HomeOption = None,
    yahoo: Annotated[
        bool, typer.Option("--yahoo", help="Also whether the real Yahoo speaks as expected; half a minute.")
    ] = False,
) -> None:
    """Look at everything the platform stands on. Exit 1 when something is missing, 42 when only Yahoo could not be asked."""
    from stack.report.doctor import examine

    wire = ingestion.check_wire() if yahoo else Exit.OK
    well = True
    for finding in examine(open_home(home)):
        well &= finding.is_well
        console.print(
            f"{'ok   ' if finding.is_well else 'SHORT'} {finding.what:<13}{finding.said}", markup=False, highlight=False
        )
    raise typer.Exit(wire if well else Exit.FAILED)


@verbs.command()
def reset(
    home: HomeOption = None,
    yes: Annotated[bool, typer.Option("--yes", help="Do not ask.")] = False,
    everything: Annotated[bool, typer.Option("--all", help="Downloaded jars too.")] = False,
) -> None:
    """Stop everything and delete the home's data, passwords and source."""
    from stack.down import reset as clear

    place = open_home(home)
    if not yes:
        typer.confirm(f"Delete all data, passwords and the source in {place.path}?", abort=True)
    console.print(clear(place, everything=everything), highlight=False)


@verbs.command(hidden=True)
def supervise(home: HomeOption = None) -> None:
    """The daemon that `up` starts."""
    from stack.supervision.supervisor import supervise as run

    raise typer.Exit(run(open_home(home)))
