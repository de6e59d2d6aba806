"""What several verbs share: an option, and the terminal that they speak to."""

from pathlib import Path
from typing import Annotated

import typer
from rich.console import Console

HomeOption = Annotated[
    Path | None,
    typer.Option("--home", envvar="CANDLESTREAM_HOME", help="The folder with all state; default .candlestream."),
]

console = Console(soft_wrap=True)
