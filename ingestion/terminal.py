"""Where what people read is written."""

import logging
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
    drawn_on, stderr = Console(soft_wrap=True, stderr=True), sys.stderr
    logs = [
        one for one in logging.getLogger().handlers if isinstance(one, logging.StreamHandler) and one.stream is stderr
    ]
    with Progress(*columns, console=drawn_on, disable=not stderr.isatty()) as bar:
        task = bar.add_task(title, total=1.0)
        for handler in logs:
            # What rich puts in its place writes above the bar.
            handler.setStream(sys.stderr)
        try:
            yield lambda done, said: bar.update(task, completed=done, description=said)
        finally:
            for handler in logs:
                handler.setStream(stderr)
