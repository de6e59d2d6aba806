"""The verbs of `candlestream`. Each is a few lines: the work is in the modules that it calls."""

import json
import signal
import sys
import time
from pathlib import Path
from typing import Annotated

import typer
from rich.console import Console

from stack import ingest_verbs, state
from stack.errors import Exit, StackError, of_the_system
from stack.home import open_home
from stack.options import HomeOption
from stack.state import Hours, Source

app = typer.Typer(
    add_completion=False,
    no_args_is_help=True,
    pretty_exceptions_enable=False,
    help="A self-hosted, real-time stock-market analytics platform. `candlestream up` starts it.",
    epilog="Exit codes: 0 done or ready, 2 wrong usage, 3 not ready, 10-15 the environment, 20-29 the platform (docs/runbook.md).",
)
ingest_verbs.attach(app)
console = Console(soft_wrap=True)

Names = Annotated[list[str], typer.Argument(help="Services, as `status` names them.")]


@app.command()
def up(
    home: HomeOption = None,
    source: Annotated[Source | None, typer.Option(help="Where prices come from; kept by the home.")] = None,
    hours: Annotated[Hours | None, typer.Option(help="The simulated exchange's hours; kept by the home.")] = None,
    seed: Annotated[int | None, typer.Option(help="The simulated exchange's seed; kept by the home.")] = None,
    postgres_bin: Annotated[Path | None, typer.Option(help="Another PostgreSQL's folder of programs.")] = None,
) -> None:
    """Start everything, and return when the first candle is in PostgreSQL."""
    from stack.status import account
    from stack.summary import tell_ready
    from stack.up import Options
    from stack.up import up as bring_up

    place = open_home(home)
    began = time.monotonic()
    bring_up(place, Options(source, seed, hours, postgres_bin), console)
    console.print(f"Candlestream is up ({time.monotonic() - began:.0f} s)", highlight=False)
    tell_ready(console, place, state.require(place), account(place))


@app.command()
def down(home: HomeOption = None) -> None:
    """Stop everything, in order."""
    from stack.down import down as bring_down

    began = time.monotonic()
    ended = bring_down(open_home(home))
    console.print(f"{ended} ({time.monotonic() - began:.0f} s)", highlight=False)


@app.command()
def status(
    home: HomeOption = None,
    as_json: Annotated[bool, typer.Option("--json", help="For programs; the shape is stable.")] = False,
) -> None:
    """What runs, and where. Exit 0 when ready, 3 when not."""
    from stack.status import account
    from stack.summary import tell_status

    body = account(open_home(home))
    if as_json:
        typer.echo(json.dumps(body, indent=2))
    else:
        tell_status(console, body)
    raise typer.Exit(Exit.OK if body["ready"] else Exit.NOT_READY)


@app.command()
def start(names: Names, home: HomeOption = None) -> None:
    """Start services that were stopped."""
    from stack.service_verbs import order

    order(open_home(home), "start", names, console)


@app.command()
def stop(names: Names, home: HomeOption = None) -> None:
    """Stop services; they stay stopped until `start` or `up`."""
    from stack.service_verbs import order

    order(open_home(home), "stop", names, console)


@app.command()
def restart(names: Names, home: HomeOption = None) -> None:
    """Stop services and start them again, on the code as it is now."""
    from stack.service_verbs import order

    order(open_home(home), "restart", names, console)


@app.command()
def logs(
    name: Annotated[str | None, typer.Argument(help="A service; all without one.")] = None,
    follow: Annotated[bool, typer.Option("-f", "--follow", help="Go on as lines come.")] = False,
    lines: Annotated[int, typer.Option("-n", help="How many of the last lines.")] = 20,
    home: HomeOption = None,
) -> None:
    """The processes' own words."""
    from stack.service_verbs import show_logs

    show_logs(open_home(home), name, follow=follow, lines=lines)


@app.command()
def doctor(
    home: HomeOption = None,
    yahoo: Annotated[
        bool, typer.Option("--yahoo", help="Also whether the real Yahoo speaks as expected; half a minute.")
    ] = False,
) -> None:
    """Look at everything the platform stands on. Exit 1 when something is missing."""
    from stack.doctor import examine

    well = ingest_verbs.check_wire() if yahoo else True
    for finding in examine(open_home(home)):
        well &= finding.is_well
        console.print(
            f"{'ok   ' if finding.is_well else 'SHORT'} {finding.what:<13}{finding.said}", markup=False, highlight=False
        )
    raise typer.Exit(Exit.OK if well else Exit.FAILED)


@app.command()
def env(home: HomeOption = None) -> None:
    """Print exports: eval "$(./candlestream env)" sets a shell up for spark-submit, airflow and psql."""
    from stack.shell import exports

    typer.echo(exports(open_home(home)), nl=False)


@app.command()
def password(
    name: Annotated[str, typer.Argument(help="airflow, postgres, migrator, writer or reader.")], home: HomeOption = None
) -> None:
    """Show one generated password."""
    from stack.passwords import reveal

    typer.echo(reveal(open_home(home), name))


@app.command()
def tail(
    topic: Annotated[str, typer.Argument(help="events, history or dead_letters.")],
    last: Annotated[int, typer.Option("-n", help="Begin so many records before the end.")] = 0,
    home: HomeOption = None,
) -> None:
    """Show a topic's records as they come."""
    from stack.platform import open_platform
    from stack.topic_tail import records

    for line in records(open_platform(open_home(home)), topic, last):
        typer.echo(line)


@app.command()
def grow(
    topic: Annotated[str, typer.Argument(help="events, history or dead_letters.")],
    partitions: Annotated[int, typer.Argument(help="How many it is to have.")],
    home: HomeOption = None,
) -> None:
    """Give a topic more partitions: what writes stops, the stream catches up, then all goes on."""
    from stack.growth import grow as grow_topic
    from stack.platform import open_platform

    grow_topic(open_platform(open_home(home)), topic, partitions, console)


@app.command()
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


@app.command("test", context_settings={"allow_extra_args": True})
def check(
    context: typer.Context,
    part: Annotated[str | None, typer.Argument(help="unit, stream or platform; all without one.")] = None,
    long: Annotated[bool, typer.Option("--long", help="Also the hour-long ones.")] = False,
    keyword: Annotated[str | None, typer.Option("-k", help="As pytest's -k.")] = None,
) -> None:
    """Run the tests; they start what they need."""
    from stack.testing import PARTS, run_tests

    if part is not None and part not in PARTS:
        raise typer.BadParameter(f"{part!r} is not one of {', '.join(PARTS)}")
    extra = [*(["-k", keyword] if keyword else []), *context.args]
    raise typer.Exit(run_tests([part] if part else list(PARTS), long=long, extra=extra))


@app.command()
def chaos(
    seed: Annotated[int, typer.Option(help="Of the feed and of the kills.")] = 1,
    minutes: Annotated[float, typer.Option(help="How long to go on.", min=0.0)] = 5.0,
    kills: Annotated[int | None, typer.Option(help="At most so many, then it ends.", min=1)] = None,
    home: HomeOption = None,
) -> None:
    """Kill a stream of its own, its database and its broker again and again. Exit 0 when nothing was lost or doubled."""
    from stack.chaos.parts import running_parts
    from stack.chaos.report import tell
    from stack.chaos.run import Options, run

    # As Ctrl-C: what it started ends with it.
    signal.signal(signal.SIGTERM, signal.default_int_handler)
    console.print("servers in a folder of their own", highlight=False)
    with running_parts(open_home(home)) as parts:
        outcome = run(parts, Options(seed, minutes * 60, kills), lambda line: console.print(line, highlight=False))
    tell(console, outcome)
    raise typer.Exit(Exit.OK if outcome.is_well else Exit.FAILED)


@app.command("faults", context_settings={"allow_extra_args": True, "ignore_unknown_options": True})
def wrong(context: typer.Context, home: HomeOption = None) -> None:
    """What goes wrong at the simulated exchange, on purpose: kinds, on, off, list, load, check (docs/simulator.md)."""
    from stack.fault_verbs import faults

    raise typer.Exit(faults(home, context.args))


@app.command(hidden=True)
def supervise(home: HomeOption = None) -> None:
    """The daemon that `up` starts."""
    from stack.supervisor import supervise as run

    raise typer.Exit(run(open_home(home)))


def main() -> None:
    """Runs a verb; every expected failure is one sentence and its own exit code."""
    try:
        app(prog_name="candlestream")
    except (StackError, OSError) as error:
        told = error if isinstance(error, StackError) else of_the_system(error)
        typer.echo(f"candlestream: {told.sentence}", err=True)
        sys.exit(told.code)
    except KeyboardInterrupt:
        typer.echo("\ncandlestream: interrupted; `up` goes on where it was, `down` ends what runs", err=True)
        sys.exit(Exit.INTERRUPTED)
