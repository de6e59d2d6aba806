"""Kafka's topics: tail, grow."""

from typing import Annotated

import typer

from stack.home import open_home
from stack.verbs.options import HomeOption, console

verbs = typer.Typer()


@verbs.command()
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


@verbs.command()
def grow(
    topic: Annotated[str, typer.Argument(help="events, history or dead_letters.")],
    partitions: Annotated[int, typer.Argument(help="How many it is to have.")],
    home: HomeOption = None,
) -> None:
    """Give a topic more partitions: what writes stops, the stream catches up, then all goes on."""
    from stack.growth import grow as grow_topic
    from stack.platform import open_platform

    grow_topic(open_platform(open_home(home)), topic, partitions, console)
