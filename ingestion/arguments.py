"""The command line of ingestion, as data."""

import argparse
from datetime import date, datetime
from pathlib import Path

# As `v1.dead_letters` names them.
LETTER_STATES = ("open", "edited", "sent", "replayed", "refused", "failed")


def parser() -> argparse.ArgumentParser:
    top = argparse.ArgumentParser(prog="python -m ingestion", description="From the provider to Kafka.")
    commands = top.add_subparsers(dest="command", required=True)
    commands.add_parser("live", help="the live feed, until SIGTERM")
    poll = commands.add_parser("poll", help="the minutes of today and the newest days of all tracked symbols")
    poll.add_argument(
        "--deadline", type=float, default=45.0, metavar="SECONDS", help="ask no more after this time (45)"
    )
    poll.add_argument(
        "--until",
        type=moment,
        metavar="TIME",
        help="go on, once a minute, until 2026-11-18T14:45:00Z (ISO 8601 with its zone)",
    )
    backfill = commands.add_parser("backfill", help="the history that the provider keeps, where it is missing")
    backfill.add_argument("--timeframes", type=listed, metavar="LIST", help="such as 1d,1m; all without it")
    backfill.add_argument("--since", type=date.fromisoformat, metavar="DATE", help="from this day on, stored or not")
    backfill.add_argument("--until", type=date.fromisoformat, metavar="DATE", help="up to this day")
    backfill.add_argument("--all", action="store_true", dest="everything", help="also what is stored already")
    ledger = commands.add_parser("ledger", help="why minutes are missing; fetches what can be repaired")
    ledger.add_argument("--all", action="store_true", dest="everything", help="also the sessions that are settled")
    ledger.add_argument(
        "--deadline", type=float, default=480.0, metavar="SECONDS", help="ask no more after this time (480)"
    )
    gaps = commands.add_parser("gaps", help="what is missing, and how good the sessions are")
    gaps.add_argument("--days", type=int, default=7, metavar="N", help="of so many days (7)")
    actions = commands.add_parser("actions", help="splits and dividends as they are published now")
    actions.add_argument("--days", type=int, default=120, metavar="N", help="of so many days (120)")
    for command in (poll, backfill, ledger, gaps, actions):
        command.add_argument(
            "--symbols", type=symbols_in, metavar="LIST", help="such as AAPL,MSFT; the tracked list without it"
        )
    commands.add_parser("wire", help="whether the provider still speaks as the platform expects")
    add_symbols(commands.add_parser("symbols", help="the tracked list"))
    add_import(commands.add_parser("import", help="bars of a CSV or Parquet file"))
    add_dead_letters(commands.add_parser("dead-letters", help="what was refused, and its second try"))
    return top


def add_symbols(symbols: argparse.ArgumentParser) -> None:
    verbs = symbols.add_subparsers(dest="verb", required=True)
    verbs.add_parser("list", help="what is tracked")
    for verb, what in (("add", "track symbols that the provider knows"), ("remove", "track no more; the data stay")):
        verbs.add_parser(verb, help=what).add_argument("symbols", type=str.upper, nargs="+")


def add_import(imported: argparse.ArgumentParser) -> None:
    imported.add_argument("file", type=Path, metavar="FILE")
    imported.add_argument("--symbol", type=str.upper, help="whose bars these are, where the file has no such column")
    imported.add_argument("--timeframe", help="how long a bar is, such as 1m or 1d, where the file does not say")
    imported.add_argument("--adjusted", action="store_true", help="prices are adjusted for the splits that are stored")
    imported.add_argument("--most-bad", type=int, default=1_000, metavar="N", help="stop after so many bad rows (1000)")
    imported.add_argument("--exchange", help="for a symbol that only the file knows: Yahoo's code, such as NMS")
    imported.add_argument("--currency", default="USD")
    imported.add_argument("--precision", type=int, default=2, help="decimals of a price (2)")
    imported.add_argument(
        "--type", type=str.upper, default="EQUITY", help="EQUITY, ETF, INDEX, CURRENCY, CRYPTOCURRENCY"
    )
    imported.add_argument("--json", action="store_true", help="the numbers as JSON")


def add_dead_letters(top: argparse.ArgumentParser) -> None:
    verbs = top.add_subparsers(dest="verb", required=True)
    found = verbs.add_parser("list", help="the newest ones")
    found.add_argument("--state", action="append", choices=LETTER_STATES, help=", ".join(LETTER_STATES))
    found.add_argument("--limit", type=int, default=50, metavar="N")
    shown = verbs.add_parser("show", help="one of them in full")
    edited = verbs.add_parser("edit", help="change what is sent; the original stays. In $EDITOR without an option")
    for verb in (shown, edited):
        verb.add_argument("id", type=int)
    edited.add_argument("--set", action="append", metavar="FIELD=VALUE", help="such as close=101.5")
    edited.add_argument("--file", type=Path, metavar="FILE", help="the whole payload")
    again = verbs.add_parser("replay", help="send again, with the first receive time; once each")
    again.add_argument("ids", type=int, nargs="*", metavar="ID")
    again.add_argument("--all", action="store_true")
    again.add_argument("--mendable", action="store_true", help="those of symbols that are known by now")
    again.add_argument("--again", action="store_true", help="also what was taken before")
    again.add_argument(
        "--json", action="store_true", help="the numbers as JSON, exit code 0 also where some were refused"
    )
    for verb in (found, again):
        verb.add_argument("--symbol", type=str.upper)
        verb.add_argument("--reason")


def moment(text: str) -> datetime:
    """A time that says its zone; one without would be another time on another machine."""
    found = datetime.fromisoformat(text)
    if found.tzinfo is None:
        raise ValueError(text)
    return found


def listed(text: str) -> list[str]:
    return [part.strip() for part in text.split(",") if part.strip()]


def symbols_in(text: str) -> list[str]:
    """Providers take a symbol in either case; here it has one, so that no data have two names."""
    return [symbol.upper() for symbol in listed(text)]
