"""`python -m ingestion live | poll | backfill`: the command line, and the wiring of the one-shot commands."""

import argparse
import asyncio
import json
import sys
from datetime import date

import structlog

from ingestion import logs, settings
from ingestion.errors import BadConfiguration, IngestionError, ProviderError

log = structlog.get_logger()

# A backfill leaves so many requests a minute to the poll and to new symbols.
BACKFILL_KEEPS = 20


def main(arguments: list[str] | None = None) -> int:
    """The exit code: 0, 2 for bad usage or configuration, else that of the error's class (ingestion/errors.py)."""
    chosen = parser().parse_args(arguments)
    logs.configure("ingestion" if chosen.command == "live" else chosen.command, "INFO")
    try:
        configured = settings.load()
        logs.configure("ingestion" if chosen.command == "live" else chosen.command, configured.log_level)
        return run(chosen, configured)
    except BadConfiguration as error:
        print(f"ingestion: {error}", file=sys.stderr)
        return error.exit_code
    except IngestionError as error:
        log.error("stopped", error=type(error).__name__, detail=str(error))
        return error.exit_code


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
    return top


def listed(text: str) -> list[str]:
    return [part.strip() for part in text.split(",") if part.strip()]


def run(chosen: argparse.Namespace, configured: settings.Settings) -> int:
    """Runs the command. Imports here: what they bring in reads the environment when it is imported."""
    import os

    settings.apply_feed_environment(configured, os.environ)

    from ingestion import backfill, poll, service, tables
    from ingestion.budget import Budget
    from ingestion.database import Database
    from ingestion.providers.yahoo import Yahoo
    from ingestion.publisher import Publisher

    budget = Budget(
        configured.home / "ingestion" / "requests.json",
        configured.requests_per_minute,
        keep=BACKFILL_KEEPS if chosen.command == "backfill" else 0,
    )
    provider = Yahoo(configured.home / "cache" / "yfinance", budget)
    if chosen.command == "live":
        asyncio.run(service.run(configured, provider))
        return 0
    database = Database(configured.database_url)
    # At a first start these may come before the live service.
    tables.seed_tracked(database, configured.symbols, configured.source)
    publisher = Publisher(
        configured.kafka_bootstrap,
        configured.kafka_prefix,
        configured.producer_queue_mb,
        f"candlestream-{chosen.command}",
    )
    stopped: ProviderError | None
    if chosen.command == "poll":
        symbols, deadline_s = chosen.symbols, chosen.deadline
        done, stopped = poll.poll(database, provider, publisher, configured.source, symbols, deadline_s, service.now_ms)
        summary = done.as_dict()
    else:
        request = backfill.Request(chosen.symbols, chosen.timeframes, chosen.since, chosen.everything)
        result, stopped = backfill.backfill(database, provider, publisher, configured.source, request, service.now_ms)
        summary = result.as_dict()
    log.info("done", **summary)
    print(json.dumps(summary), flush=True)
    return stopped.exit_code if stopped is not None else 0


if __name__ == "__main__":
    sys.exit(main())
