"""Verbs whose work is ingestion's: symbols, dead-letters, ingest, gaps. Each is a command line of `python -m ingestion`."""

import os
import subprocess
import sys
import tempfile
from pathlib import Path
from typing import Annotated

import typer

from stack.home import REPO, open_home
from stack.platform import PYTHON, open_platform
from stack.verbs.options import HomeOption

# Ingestion's own exit codes would mean something else here; they are moved behind those of the platform.
CODES_FROM = 30

symbols = typer.Typer(no_args_is_help=True, help="The tracked list: what is followed live, polled and backfilled.")
letters = typer.Typer(no_args_is_help=True, help="Refused records: look at them, mend them, send them again.")
files = typer.Typer(no_args_is_help=True, help="Bars from elsewhere.")

verbs = typer.Typer()
verbs.add_typer(symbols, name="symbols")
verbs.add_typer(letters, name="dead-letters")
verbs.add_typer(files, name="ingest")

Symbols = Annotated[
    list[str], typer.Argument(help="As the provider writes them: AAPL, BTC-USD, 7203.T, ^GSPC, EURUSD=X.")
]


def ingest(home: Path | None, *arguments: str) -> None:
    """Runs a command of ingestion on this terminal and ends with its exit code, moved where it is ingestion's own."""
    platform = open_platform(open_home(home))
    command = [str(PYTHON), "-P", "-m", "ingestion", *arguments]
    code = subprocess.run(command, cwd=REPO, env=platform.environment(), check=False).returncode
    raise typer.Exit(exit_code(code))


def check_wire() -> int:
    """0 when the real Yahoo speaks as the platform expects, 1 when not, else the exit code that says why it could not be asked.

    Whatever the home's own source is.
    """
    dropped = ("CANDLESTREAM_FEED_PROXY", "CANDLESTREAM_FEED_CA", "CANDLESTREAM_TOPIC_PREFIX")
    inherited = {name: value for name, value in os.environ.items() if name not in dropped}
    with tempfile.TemporaryDirectory() as folder:
        # Caches and budget of its own: what is checked is the wire as a newcomer meets it.
        own = {
            "CANDLESTREAM_HOME": folder,
            "CANDLESTREAM_SOURCE": "yahoo",
            "CANDLESTREAM_DATABASE_URL": "postgresql:///none",
        }
        command = [sys.executable, "-P", "-m", "ingestion", "wire"]
        done = subprocess.run(command, cwd=REPO, env=inherited | own | {"PYTHONPATH": str(REPO)}, check=False)
    return exit_code(done.returncode)


def exit_code(code: int) -> int:
    """0, 1 and 2 mean the same everywhere; the rest of ingestion's codes begin at 40 here (docs/runbook.md)."""
    return code if 0 <= code < 10 else code + CODES_FROM if code > 0 else 1


Symbol = Annotated[str | None, typer.Option(help="Of this symbol alone.")]
Reason = Annotated[str | None, typer.Option(help="With this reason alone, such as bad_price.")]
Letter = Annotated[int, typer.Argument(help="The id that `list` shows.")]


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


@files.callback()
def _() -> None:
    """Keeps `import` a verb of its own while it is the only one."""


@files.command("import")
def import_file(
    file: Annotated[Path, typer.Argument(help="CSV with a header line, or Parquet (.parquet).")],
    symbol: Annotated[str | None, typer.Option(help="Whose bars these are, where the file has no such column.")] = None,
    timeframe: Annotated[str | None, typer.Option(help="1m to 1mo, where the file does not say.")] = None,
    adjusted: Annotated[bool, typer.Option(help="Prices are adjusted for the splits that are stored.")] = False,
    most_bad: Annotated[int, typer.Option(help="Stop after so many bad rows.")] = 1_000,
    exchange: Annotated[str | None, typer.Option(help="For a symbol that only the file knows: such as NMS.")] = None,
    currency: Annotated[str, typer.Option(help="... its currency.")] = "USD",
    precision: Annotated[int, typer.Option(help="... the decimals of its prices.")] = 2,
    kind: Annotated[str, typer.Option("--type", help="... EQUITY, ETF, INDEX, CURRENCY or CRYPTOCURRENCY.")] = "EQUITY",
    home: HomeOption = None,
) -> None:
    """Bars of a file into the platform; rows that are wrong become dead letters."""
    given = {"--symbol": symbol, "--timeframe": timeframe, "--exchange": exchange}
    options = [part for name, value in given.items() if value for part in (name, value)]
    options += ["--most-bad", str(most_bad), "--currency", currency, "--precision", str(precision), "--type", kind]
    ingest(home, "import", str(file.resolve()), *options, *(["--adjusted"] if adjusted else []))


@letters.command("list")
def list_letters(
    symbol: Symbol = None,
    reason: Reason = None,
    state: Annotated[list[str] | None, typer.Option(help="open, edited, sent, replayed, refused or failed.")] = None,
    limit: Annotated[int, typer.Option("-n", help="So many of the newest.")] = 50,
    home: HomeOption = None,
) -> None:
    """The newest refused records."""
    states = [part for name in state or () for part in ("--state", name)]
    ingest(home, "dead-letters", "list", "--limit", str(limit), *states, *chosen(symbol, reason))


@letters.command("show")
def show_letter(letter: Letter, home: HomeOption = None) -> None:
    """One refused record in full: why, from where, its original bytes."""
    ingest(home, "dead-letters", "show", str(letter))


@letters.command("edit")
def edit_letter(
    letter: Letter,
    changes: Annotated[list[str] | None, typer.Option("--set", help="FIELD=VALUE, such as close=101.5.")] = None,
    file: Annotated[Path | None, typer.Option(help="The whole payload.")] = None,
    home: HomeOption = None,
) -> None:
    """Change what is sent at the next replay; the original stays. Without an option in $EDITOR."""
    sets = [part for change in changes or () for part in ("--set", change)]
    ingest(home, "dead-letters", "edit", str(letter), *sets, *(["--file", str(file.resolve())] if file else []))


@letters.command("replay")
def replay_letters(
    ids: Annotated[list[int] | None, typer.Argument(help="The ids that `list` shows.")] = None,
    symbol: Symbol = None,
    reason: Reason = None,
    everything: Annotated[bool, typer.Option("--all", help="All that were not taken yet.")] = False,
    mendable: Annotated[bool, typer.Option(help="Those of symbols that are known by now.")] = False,
    again: Annotated[bool, typer.Option(help="Also what was taken before.")] = False,
    home: HomeOption = None,
) -> None:
    """Send again what was refused, with its first receive time. What was taken is not sent twice."""
    flags = [flag for flag, is_on in (("--all", everything), ("--mendable", mendable), ("--again", again)) if is_on]
    ingest(home, "dead-letters", "replay", *map(str, ids or ()), *flags, *chosen(symbol, reason))


def chosen(symbol: str | None, reason: str | None) -> list[str]:
    return [*(["--symbol", symbol] if symbol else []), *(["--reason", reason] if reason else [])]


@verbs.command("gaps")
def show_gaps(
    symbol: Symbol = None,
    days: Annotated[int, typer.Option(help="Of so many days.")] = 7,
    home: HomeOption = None,
) -> None:
    """Minutes without a bar and why, and the sessions' quality, worst first."""
    ingest(home, "gaps", "--days", str(days), *(["--symbols", symbol.upper()] if symbol else []))
