"""The command lines that tasks run. Pure: arguments in, a list of strings out."""

import os
import sys
from collections.abc import Sequence
from datetime import datetime, timedelta

# In containers the tasks' packages lie in an environment apart from Airflow's own.
PYTHON = os.environ.get("CANDLESTREAM_TASK_PYTHON", sys.executable)
INGESTION = (PYTHON, "-m", "ingestion")


# A poll that would end within this time of its start is given the next span as well.
SHORTEST = timedelta(minutes=1)


def end_of_span(now: datetime, minutes: int) -> datetime:
    """When a poller that starts now is to end: as the next one of the schedule begins, whenever this one was started."""
    left = timedelta(minutes=minutes) - (now - datetime.min.replace(tzinfo=now.tzinfo)) % timedelta(minutes=minutes)
    return now + (left if left > SHORTEST else left + timedelta(minutes=minutes))


def poll_command(deadline_s: int, until: datetime | None = None, symbols: Sequence[str] | None = None) -> list[str]:
    """A look at the tracked list each minute until a time, or a single one; each asks no more after `deadline_s`."""
    until_when = ["--until", until.isoformat(timespec="seconds")] if until else []
    return [*INGESTION, "poll", "--deadline", str(deadline_s), *until_when, *_listed("--symbols", symbols)]


def backfill_command(
    symbols: Sequence[str] | None = None,
    timeframes: Sequence[str] | None = None,
    since: str | None = None,
    everything: bool = False,
    until: str | None = None,
) -> list[str]:
    """The history that is missing; all of it with `everything`, from and up to a day (ISO 8601) with `since` and `until`."""
    return [
        *INGESTION,
        "backfill",
        *_listed("--symbols", symbols),
        *_listed("--timeframes", timeframes),
        *(["--since", since] if since else []),
        *(["--until", until] if until else []),
        *(["--all"] if everything else []),
    ]


def day_of(run_type: str, logical_date: datetime | None) -> str | None:
    """The day that a run of `airflow backfill create` is for; None in any other run, whose date says nothing of history."""
    return f"{logical_date:%Y-%m-%d}" if logical_date and run_type == "backfill" else None


def ledger_command(deadline_s: int, symbols: Sequence[str] | None = None, everything: bool = False) -> list[str]:
    """The gap ledger: look, fetch what can be repaired, look again; nothing is asked after `deadline_s`."""
    options = _listed("--symbols", symbols)
    return [*INGESTION, "ledger", "--deadline", str(deadline_s), *options, *(["--all"] if everything else [])]


def actions_command(days: int, symbols: Sequence[str] | None = None) -> list[str]:
    """Splits and dividends of so many days, as they are published now."""
    return [*INGESTION, "actions", "--days", str(days), *_listed("--symbols", symbols)]


def replay_command(ids: Sequence[int] | None = None, symbol: str | None = None, reason: str | None = None) -> list[str]:
    """Dead letters once more: those that are named, else those of symbols that are known by now."""
    which = [*map(str, ids or ())]
    which += [
        part for option, value in (("--symbol", symbol), ("--reason", reason)) if value for part in (option, value)
    ]
    return [*INGESTION, "dead-letters", "replay", "--json", *(which or ["--mendable"])]


def _listed(option: str, values: Sequence[str] | None) -> list[str]:
    return [option, ",".join(values)] if values else []
