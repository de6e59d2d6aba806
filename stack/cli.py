"""The command `candlestream`: its verbs, and how it ends when something is not as it should be."""

import sys

import typer

from stack.errors import Exit, StackError, of_the_system
from stack.verbs import ingestion, services, shell, topics, trials, whole

app = typer.Typer(
    add_completion=False,
    no_args_is_help=True,
    pretty_exceptions_enable=False,
    help="A self-hosted, real-time stock-market analytics platform. `candlestream up` starts it.",
    epilog="Exit codes: 0 done or ready, 2 wrong usage, 3 not ready, 10-15 the environment, 20-29 the platform, 40-51 ingestion"
    " (docs/runbook.md).",
)
for group in (whole, services, shell, topics, ingestion, trials):
    app.add_typer(group.verbs)


def main() -> None:
    """Runs a verb; every expected failure is one sentence and its own exit code."""
    try:
        app(prog_name="candlestream")
    except (StackError, OSError) as error:
        told = error if isinstance(error, StackError) else of_the_system(error)
        typer.echo(f"candlestream: {told.sentence}", err=True)
        sys.exit(told.code)
    except KeyboardInterrupt:
        typer.echo("\ncandlestream: interrupted; `up` goes on where it was, `down` ends what runs", err=True)
        sys.exit(Exit.INTERRUPTED)
