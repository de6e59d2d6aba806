"""The file of indicators (indicators.toml), looked at before the stream does: a mistake in it is told where it was made."""

import os
from pathlib import Path

from market.choice_file import DEFAULT_FILE, read
from market.choices import BadChoice
from stack.errors import Exit, StackError
from stack.home import REPO


def check() -> str:
    """What is chosen, in words. Raises `StackError` for what the stream would refuse."""
    # The stream runs in the checkout, and takes a relative path from there.
    path = REPO / Path(os.environ.get("CANDLESTREAM_INDICATORS", DEFAULT_FILE))
    try:
        chosen = read(path)
    except BadChoice as error:
        raise StackError(Exit.USAGE, str(error)) from error
    return f"{len(chosen.all)} of your own in {path}"
