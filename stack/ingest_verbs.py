"""Verbs whose work is ingestion's: the tracked list. Each is a command line of `python -m ingestion`."""

import subprocess
from pathlib import Path
from typing import Annotated

import typer

from stack.home import REPO, open_home
from stack.options import HomeOption
from stack.platform import PYTHON, open_platform

# Ingestion's own exit codes would mean something else here; they are moved behind those of the platform.
CODES_FROM = 30

symbols = typer.Typer(no_args_is_help=True, help="The tracked list: what is followed live, polled and backfilled.")

Symbols = Annotated[
    list[str], typer.Argument(help="As the provider writes them: AAPL, BTC-USD, 7203.T, ^GSPC, EURUSD=X.")
]


def ingest(home: Path | None, *arguments: str) -> None:
    """Runs a command of ingestion on this terminal and ends with its exit code, moved where it is ingestion's own."""
    platform = open_platform(open_home(home))
    command = [str(PYTHON), "-P", "-m", "ingestion", *arguments]
    code = subprocess.run(command, cwd=REPO, env=platform.environment(), check=False).returncode
    raise typer.Exit(exit_code(code))


def exit_code(code: int) -> int:
    """0, 1 and 2 mean the same everywhere; the rest of ingestion's codes begin at 40 here (docs/runbook.md)."""
    return code if 0 <= code < 10 else code + CODES_FROM if code > 0 else 1


def attach(app: typer.Typer) -> None:
    """Adds the verbs to the command."""
    app.add_typer(symbols, name="symbols")


@symbols.command("list")
def list_symbols(home: HomeOption = None) -> None:
    """What is tracked: calendar, currency, precision, newest price."""
    ingest(home, "symbols", "list")


@symbols.command("add")
def add_symbols(names: Symbols, home: HomeOption = None) -> None:
    """Track symbols that the provider knows: charts in seconds, history within a minute."""
    ingest(home, "symbols", "add", *names)


@symbols.command("remove")
def remove_symbols(names: Symbols, home: HomeOption = None) -> None:
    """Track symbols no more. Their data stay."""
    ingest(home, "symbols", "remove", *names)
