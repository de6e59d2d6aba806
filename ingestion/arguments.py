"""The command line of ingestion, as data."""

import argparse
from datetime import date


def parser() -> argparse.ArgumentParser:
    top = argparse.ArgumentParser(prog="python -m ingestion", description="From the provider to Kafka.")
    commands = top.add_subparsers(dest="command", required=True)
    commands.add_parser("live", help="the live feed, until SIGTERM")
    poll = commands.add_parser("poll", help="the minutes of today and the newest days of all tracked symbols, once")
    poll.add_argument(
        "--deadline", type=float, default=45.0, metavar="SECONDS", help="ask no more after this time (45)"
    )
    backfill = commands.add_parser("backfill", help="the history that the provider keeps, where it is missing")
    backfill.add_argument("--timeframes", type=listed, metavar="LIST", help="such as 1d,1m; all without it")
    backfill.add_argument("--since", type=date.fromisoformat, metavar="DATE", help="from this day on, stored or not")
    backfill.add_argument("--all", action="store_true", dest="everything", help="also what is stored already")
    for command in (poll, backfill):
        command.add_argument(
            "--symbols", type=listed, metavar="LIST", help="such as AAPL,MSFT; the tracked list without it"
        )
    add_symbols(commands.add_parser("symbols", help="the tracked list"))
    return top


def add_symbols(symbols: argparse.ArgumentParser) -> None:
    verbs = symbols.add_subparsers(dest="verb", required=True)
    verbs.add_parser("list", help="what is tracked")
    for verb, what in (("add", "track symbols that the provider knows"), ("remove", "track no more; the data stay")):
        verbs.add_parser(verb, help=what).add_argument("symbols", type=str.upper, nargs="+")


def listed(text: str) -> list[str]:
    return [part.strip() for part in text.split(",") if part.strip()]
