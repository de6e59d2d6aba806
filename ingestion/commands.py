"""The commands of the command line, each wired top to bottom from the settings."""

import argparse
import asyncio
import json
import time
from collections.abc import Callable
from datetime import UTC, date, datetime
from functools import cache

import structlog

from ingestion import metrics, providers, tables
from ingestion.clock import now_ms
from ingestion.database import Database
from ingestion.errors import IngestionError, ProviderError, Unavailable
from ingestion.history import backfill
from ingestion.history.garbage_collection import leave_imports_alone
from ingestion.live import service
from ingestion.poll import once as poll
from ingestion.poll import poller
from ingestion.poll.plan import pace_of
from ingestion.providers.base import LiveProvider
from ingestion.publisher import Publisher, log_ends
from ingestion.requesting.budget import Budget
from ingestion.settings import Settings

log = structlog.get_logger()

# A backfill leaves so many requests a minute to the poll and to new symbols.
BACKFILL_KEEPS = 20
# A poll leaves some to symbols that are added and to holes of the live feed.
POLL_KEEPS = 5


def run_live(_chosen: argparse.Namespace, configured: Settings) -> int:
    asyncio.run(service.run(configured, provider_of(configured)))
    return 0


def run_poll(chosen: argparse.Namespace, configured: Settings) -> int:
    """Once; with `--until` each minute until then."""
    database, publisher = seeded(configured), publisher_of(configured, "poll")
    provider, budget = provider_of(configured, keep=POLL_KEEPS), budget_of(configured)

    def once() -> tuple[poll.Summary, ProviderError | None]:
        return poll.poll(
            database,
            provider,
            publisher,
            configured.source,
            chosen.symbols,
            chosen.deadline,
            budget.per_minute,
            now_ms,
        )

    if chosen.until is not None:
        total, stopped = poller.run(once, chosen.until.timestamp(), time.time, time.sleep)
        return told(total.as_dict(), stopped)
    done, stopped = once()
    return told(done.as_dict(), stopped)


def run_backfill(chosen: argparse.Namespace, configured: Settings) -> int:
    from ingestion import terminal

    database, publisher = seeded(configured), publisher_of(configured, "backfill")
    request = backfill.Request(chosen.symbols, chosen.timeframes, chosen.since, chosen.everything, chosen.until)
    provider = provider_of(configured, keep=BACKFILL_KEEPS)
    leave_imports_alone()
    with terminal.progress("backfill") as show:
        result, stopped = backfill.backfill(database, provider, publisher, configured.source, request, now_ms, show)
    return told(result.as_dict(), stopped)


def run_ledger(chosen: argparse.Namespace, configured: Settings) -> int:
    """The gap ledger: look, repair, look again."""
    from ingestion.gaps import repair

    database, publisher = Database(configured.database_url), publisher_of(configured, "ledger")
    known = [entry.instrument for entry in tables.tracked(database) if entry.instrument is not None]
    pace = pace_of(known, budget_of(configured).per_minute, now_ms())
    done, stopped = repair.run(
        database,
        provider_of(configured, keep=BACKFILL_KEEPS),
        publisher,
        configured.source,
        lambda: log_ends(configured.kafka_bootstrap, configured.kafka_prefix),
        pace.due_ms,
        now_ms,
        chosen.symbols,
        chosen.everything,
        chosen.deadline,
    )
    return told(done.as_dict(), stopped)


def run_actions(chosen: argparse.Namespace, configured: Settings) -> int:
    from ingestion import actions

    done, stopped = actions.run(
        seeded(configured),
        provider_of(configured, keep=BACKFILL_KEEPS),
        publisher_of(configured, "actions"),
        configured.source,
        chosen.symbols,
        chosen.days,
        now_ms,
    )
    return told(done.as_dict(), stopped)


def run_wire(_chosen: argparse.Namespace, configured: Settings) -> int:
    """The real wire against the contract; nothing is stored, PostgreSQL and Kafka are not needed."""
    from ingestion import terminal
    from ingestion.checks import wire as wire_check

    verdict = wire_check.run(provider_of(configured), terminal.console(), now_ms)
    return {wire_check.Verdict.OK: 0, wire_check.Verdict.NOT_ASKED: Unavailable.exit_code}.get(verdict, 1)


def run_gaps(chosen: argparse.Namespace, configured: Settings) -> int:
    from ingestion import terminal
    from ingestion.gaps import report as gap_report

    gap_report.show(Database(configured.database_url), terminal.console(), chosen.symbols, chosen.days)
    return 0


def run_symbols(chosen: argparse.Namespace, configured: Settings) -> int:
    # Not at the top: the live service starts without what only people need.
    from ingestion import symbols, terminal

    database, console = Database(configured.database_url), terminal.console()
    if chosen.verb == "list":
        console.print(symbols.listed(database, now_ms()))
        return 0
    if chosen.verb == "remove":
        failure = symbols.remove(database, chosen.symbols, console)
    else:
        provider = cache(lambda: provider_of(configured))
        failure = symbols.add(database, provider, configured.source, chosen.symbols, today, console)
    return 0 if failure is None else failure.exit_code


def run_import(chosen: argparse.Namespace, configured: Settings) -> int:
    from ingestion.history import import_command

    return import_command.run(chosen, configured, lambda: publisher_of(configured, "import"), now_ms())


def run_dead_letters(chosen: argparse.Namespace, configured: Settings) -> int:
    from ingestion.dead_letters import commands as letter_commands

    return letter_commands.run(
        chosen, configured, lambda: provider_of(configured), lambda: publisher_of(configured, "replay")
    )


COMMANDS: dict[str, Callable[[argparse.Namespace, Settings], int]] = {
    "live": run_live,
    "poll": run_poll,
    "backfill": run_backfill,
    "ledger": run_ledger,
    "gaps": run_gaps,
    "wire": run_wire,
    "actions": run_actions,
    "symbols": run_symbols,
    "import": run_import,
    "dead-letters": run_dead_letters,
}


def provider_of(configured: Settings, keep: int = 0) -> LiveProvider:
    """The provider behind the budget that all processes of the home share; `keep` requests of it are left to others."""
    return providers.connect(configured.provider, configured.home, budget_of(configured, keep), configured.source)


def budget_of(configured: Settings, keep: int = 0) -> Budget:
    return Budget(configured.home / "ingestion" / "requests.json", configured.requests_per_minute, keep=keep)


def seeded(configured: Settings) -> Database:
    """The database. At a first start a command may come before the live service, and tracks the configured symbols."""
    database = Database(configured.database_url)
    tables.seed_tracked(database, configured.symbols, configured.source)
    return database


def publisher_of(configured: Settings, command: str) -> Publisher:
    name = f"candlestream-{command}"
    return Publisher(configured.kafka_bootstrap, configured.kafka_prefix, configured.producer_queue_mb, name)


def told(summary: dict[str, object], stopped: IngestionError | None) -> int:
    """The summary as the last line on stdout, for whoever started the command; the exit code."""
    summary = summary | {"provider_errors": metrics.provider_errors()}
    if stopped is not None:
        summary["error"] = summary.get("error") or str(stopped)
    (log.info if stopped is None else log.warning)("done", **summary)
    print(json.dumps(summary), flush=True)  # noqa: T201  (a command's answer)
    return stopped.exit_code if stopped is not None else 0


def today() -> date:
    return datetime.fromtimestamp(now_ms() / 1000, UTC).date()
