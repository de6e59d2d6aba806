"""Where what people read is written."""

from rich.console import Console

# Without a terminal there is nobody whose window it must fit into.
WIDE = 200


def console() -> Console:
    """The terminal, or a wide page where the output goes to a file or a program."""
    found = Console(soft_wrap=True)
    return found if found.is_terminal else Console(soft_wrap=True, width=WIDE)
