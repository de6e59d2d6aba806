"""What puts the platform to the proof: test, chaos, faults."""

import signal
from typing import Annotated

import typer

from stack.errors import Exit
from stack.home import open_home
from stack.verbs.options import HomeOption, console

verbs = typer.Typer()


@verbs.command("test", context_settings={"allow_extra_args": True})
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


@verbs.command()
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


@verbs.command("faults", context_settings={"allow_extra_args": True, "ignore_unknown_options": True})
def wrong(context: typer.Context, home: HomeOption = None) -> None:
    """What goes wrong at the simulated exchange, on purpose: kinds, on, off, list, load, check (docs/simulator.md)."""
    from stack.faults import faults

    raise typer.Exit(faults(home, context.args))
