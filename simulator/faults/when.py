"""Moments and lengths as people write them in a scenario. All of them are in the exchange's own time."""

import re
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Annotated, Any

from pydantic import BeforeValidator, PlainSerializer

LENGTH = re.compile(r"(?:(\d+)h)?(?:(\d+)m)?(?:(\d+(?:\.\d+)?)s)?(?:(\d+)ms)?")
UNITS_MS = (3_600_000, 60_000, 1000, 1)


@dataclass(frozen=True, slots=True)
class Moment:
    """`ms` since the epoch, or since the scenario's start where it `is_relative`."""

    ms: int
    is_relative: bool

    def after(self, start_ms: int) -> int:
        return start_ms + self.ms if self.is_relative else self.ms


def length_ms(value: Any) -> int:
    """`90s`, `1h30m`, `250ms`, or a number of seconds. Raises `ValueError`."""
    if isinstance(value, int | float) and not isinstance(value, bool) and value >= 0:
        return round(value * 1000)
    match = LENGTH.fullmatch(value.strip()) if isinstance(value, str) else None
    if match is None or not any(match.groups()):
        raise ValueError(f"{value!r} is not a length such as 90s, 5m, 1h30m or a number of seconds")
    return round(sum(float(count) * unit for count, unit in zip(match.groups(), UNITS_MS, strict=True) if count))


def moment(value: Any) -> Moment:
    """`+90s` (after the scenario's start) or an ISO time with its offset. Raises `ValueError`."""
    if isinstance(value, Moment):
        return value
    if isinstance(value, str) and value.strip().startswith("+"):
        return Moment(length_ms(value.strip()[1:]), is_relative=True)
    return Moment(absolute_ms(value), is_relative=False)


def absolute_ms(value: Any) -> int:
    """An ISO time with its offset, in ms since the epoch. Raises `ValueError`."""
    try:
        time = value if isinstance(value, datetime) else datetime.fromisoformat(value)
    except (TypeError, ValueError) as error:
        raise ValueError(f"{value!r} is neither a length such as +90s nor an ISO time") from error
    if time.tzinfo is None:
        raise ValueError(f"{value!r} has no offset from UTC")
    return round(time.timestamp() * 1000)


def written_length(ms: int) -> str:
    return f"{ms}ms"


def iso(ms: int) -> str:
    return datetime.fromtimestamp(ms / 1000, UTC).isoformat()


def written_moment(at: Moment) -> str:
    return f"+{at.ms}ms" if at.is_relative else iso(at.ms)


Length = Annotated[int, BeforeValidator(length_ms), PlainSerializer(written_length, when_used="json")]
At = Annotated[Moment, BeforeValidator(moment), PlainSerializer(written_moment, when_used="json")]
START = Moment(0, is_relative=True)
