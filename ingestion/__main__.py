"""`python -m ingestion COMMAND`: loads the configuration, runs the command, and ends with its exit code."""

import argparse
import os
import sys

import structlog

from ingestion import clock, logs, settings
from ingestion.arguments import parser
from ingestion.errors import BadConfiguration, IngestionError

log = structlog.get_logger()

# What a person runs and reads: only what went wrong is logged beside it.
FOR_PEOPLE = ("symbols", "dead-letters", "gaps", "import", "wire")


def main(arguments: list[str] | None = None) -> int:
    """The exit code: 0, 2 for bad usage or configuration, else that of the error's class (ingestion/errors.py)."""
    chosen = parser().parse_args(arguments)
    name = "ingestion" if chosen.command == "live" else chosen.command
    is_for_people = chosen.command in FOR_PEOPLE
    logs.configure(name, "INFO")
    try:
        configured = settings.load()
        logs.configure(name, "CRITICAL" if is_for_people else configured.log_level)
        return run(chosen, configured)
    except BadConfiguration as error:
        print(f"ingestion: {error}", file=sys.stderr)
        return error.exit_code
    except IngestionError as error:
        if is_for_people:
            print(str(error), file=sys.stderr)
        else:
            log.error("stopped", error=type(error).__name__, detail=str(error))
        return error.exit_code


def run(chosen: argparse.Namespace, configured: settings.Settings) -> int:
    """Runs the command. Imports here: what they bring in reads the environment when it is imported."""
    settings.apply_feed_environment(configured, os.environ)
    clock.follow(configured.timeline)

    from ingestion import commands

    return commands.COMMANDS[chosen.command](chosen, configured)


if __name__ == "__main__":
    sys.exit(main())
