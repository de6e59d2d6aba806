"""The command lines that tasks run. Pure: arguments in, a list of strings out."""

import os
import sys
from collections.abc import Sequence

# In containers the tasks' packages lie in an environment apart from Airflow's own.
PYTHON = os.environ.get("CANDLESTREAM_TASK_PYTHON", sys.executable)
INGESTION = (PYTHON, "-m", "ingestion")


def poll_command(deadline_s: int, symbols: Sequence[str] | None = None) -> list[str]:
    """One look at the tracked list, asking no more after `deadline_s`."""
    return [*INGESTION, "poll", "--deadline", str(deadline_s), *_listed("--symbols", symbols)]


def backfill_command(
    symbols: Sequence[str] | None = None,
    timeframes: Sequence[str] | None = None,
    since: str | None = None,
    everything: bool = False,
) -> list[str]:
    """The history that is missing; all of it with `everything`, from a day (ISO 8601) with `since`."""
    return [
        *INGESTION,
        "backfill",
        *_listed("--symbols", symbols),
        *_listed("--timeframes", timeframes),
        *(["--since", since] if since else []),
        *(["--all"] if everything else []),
    ]


def _listed(option: str, values: Sequence[str] | None) -> list[str]:
    return [option, ",".join(values)] if values else []
