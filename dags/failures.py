"""A failed command as an exception, so that a retry policy can tell one failure from another. The message is one sentence.

The exit codes are ingestion's (`ingestion/errors.py`); the two folders meet at the command line alone.
"""

import json
from collections.abc import Sequence


class CommandFailed(Exception):
    """A command ended with an exit code that has no class of its own."""


class BadConfiguration(CommandFailed):
    """It will not work the next time either."""


class Throttled(CommandFailed):
    """The provider has us wait."""


class ProviderFailed(CommandFailed):
    """The provider refused, could not be reached, or answered nonsense."""


class NoSuchSymbol(CommandFailed):
    """The provider answered, and does not know what it was asked for."""


class PartAway(CommandFailed):
    """PostgreSQL or Kafka could not be reached."""


class StandsStill(CommandFailed):
    """The stream or the live service does not do its work."""


class QualityTooLow(CommandFailed):
    """A session's data are not as good as they should be."""


BY_EXIT_CODE: dict[int, type[CommandFailed]] = {
    2: BadConfiguration,
    10: Throttled,
    11: ProviderFailed,
    12: ProviderFailed,
    13: NoSuchSymbol,
    14: ProviderFailed,
    20: PartAway,
    21: PartAway,
}


def failure(verb: str, exit_code: int, lines: Sequence[str], summary: dict[str, object]) -> CommandFailed:
    """The exception for an exit code: its sentence is the command's own last word, from its summary or its log."""
    said = str(summary.get("error") or "") or last_word(lines)
    how = f"was ended by signal {-exit_code}" if exit_code < 0 else f"ended with {exit_code}"
    return BY_EXIT_CODE.get(exit_code, CommandFailed)(f"{verb} {how}: {said or 'it said nothing'}")


def last_word(lines: Sequence[str]) -> str:
    """The detail of the last error in a log of JSON lines, else the last line."""
    for line in reversed(lines):
        try:
            entry = json.loads(line)
        except ValueError:
            continue
        if isinstance(entry, dict) and entry.get("level") in ("error", "critical"):
            return str(entry.get("detail") or entry.get("event"))
    return lines[-1].strip() if lines else ""
