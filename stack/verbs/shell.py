"""What a person's shell and clients need: env, password."""

from typing import Annotated

import typer

from stack.home import open_home
from stack.verbs.options import HomeOption

verbs = typer.Typer()


@verbs.command()
def env(home: HomeOption = None) -> None:
    """Print exports: eval "$(./candlestream env)" sets a shell up for spark-submit, airflow and psql."""
    from stack.shell import exports

    typer.echo(exports(open_home(home)), nl=False)


@verbs.command()
def password(
    name: Annotated[str, typer.Argument(help="airflow, postgres, migrator, writer or reader.")], home: HomeOption = None
) -> None:
    """Show one generated password."""
    from stack.passwords import reveal

    typer.echo(reveal(open_home(home), name))
