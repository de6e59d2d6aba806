"""Where what people read is written."""

import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager

from rich.console import Console

# Without a terminal there is nobody whose window it must fit into.
WIDE = 200


def console() -> Console:
    """The terminal, or a wide page where the output goes to a file or a program."""
    found = Console(soft_wrap=True)
    return found if found.is_terminal else Console(soft_wrap=True, width=WIDE)


@contextmanager
def progress(title: str) -> Iterator[Callable[[float, str], None]]:
    """A bar on stderr for whoever waits at a terminal; it is told the share that is done and a word about it."""
    # Not at the top: most commands are done before a bar could be drawn.
    from rich.progress import BarColumn, Progress, TextColumn, TimeElapsedColumn

    columns = (
        TextColumn("{task.description}"),
        BarColumn(),
        TextColumn("{task.percentage:>3.0f} %"),
        TimeElapsedColumn(),
    )
    drawn_on = Console(soft_wrap=True, stderr=True)
    with Progress(*columns, console=drawn_on, disable=not sys.stderr.isatty()) as bar:
        task = bar.add_task(title, total=1.0)
        yield lambda done, said: bar.update(task, completed=done, description=said)
