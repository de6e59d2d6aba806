"""One service or a few: start, stop, restart, logs."""

from typing import Annotated

import typer

from stack.home import open_home
from stack.verbs.options import HomeOption, console

verbs = typer.Typer()

Names = Annotated[list[str], typer.Argument(help="Services, as `status` names them.")]


@verbs.command()
def start(names: Names, home: HomeOption = None) -> None:
    """Start services that were stopped."""
    from stack.supervision.service_orders import order

    order(open_home(home), "start", names, console)


@verbs.command()
def stop(names: Names, home: HomeOption = None) -> None:
    """Stop services; they stay stopped until `start` or `up`."""
    from stack.supervision.service_orders import order

    order(open_home(home), "stop", names, console)


@verbs.command()
def restart(names: Names, home: HomeOption = None) -> None:
    """Stop services and start them again, on the code as it is now."""
    from stack.supervision.service_orders import order

    order(open_home(home), "restart", names, console)


@verbs.command()
def logs(
    name: Annotated[str | None, typer.Argument(help="A service; all without one.")] = None,
    follow: Annotated[bool, typer.Option("-f", "--follow", help="Go on as lines come.")] = False,
    lines: Annotated[int, typer.Option("-n", help="How many of the last lines.")] = 20,
    home: HomeOption = None,
) -> None:
    """The processes' own words."""
    from stack.supervision.service_orders import show_logs

    show_logs(open_home(home), name, follow=follow, lines=lines)
