"""Options that several verbs take."""

from pathlib import Path
from typing import Annotated

import typer

HomeOption = Annotated[
    Path | None,
    typer.Option("--home", envvar="CANDLESTREAM_HOME", help="The folder with all state; default .candlestream."),
]
