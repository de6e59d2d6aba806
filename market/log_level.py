"""How loud a process is: the words of CANDLESTREAM_LOG_LEVEL, in upper or lower case."""

from enum import StrEnum
from typing import Self


class LogLevel(StrEnum):
    """A level by the name that Python's logging has for it."""

    DEBUG = "DEBUG"
    INFO = "INFO"
    WARNING = "WARNING"
    ERROR = "ERROR"

    @classmethod
    def _missing_(cls, value: object) -> Self | None:
        return cls.__members__.get(value.upper()) if isinstance(value, str) else None
