"""JSON lines of the platform's own programs, with `event`, `level` and `timestamp`."""

import sys
from typing import TextIO

import structlog


def configure(out: TextIO = sys.stderr) -> None:
    structlog.configure(
        processors=[
            structlog.processors.add_log_level,
            structlog.processors.TimeStamper(fmt="iso", utc=True),
            structlog.processors.JSONRenderer(),
        ],
        logger_factory=structlog.PrintLoggerFactory(out),
    )
