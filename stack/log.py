"""JSON lines of the platform's own programs, with `event`, `level` and `timestamp`."""

import logging
import os
import sys
from typing import TextIO

import structlog


def configure(out: TextIO = sys.stderr) -> None:
    """At the level of CANDLESTREAM_LOG_LEVEL. One that is none is refused by the services themselves, in a sentence."""
    level = logging.getLevelNamesMapping().get(os.environ.get("CANDLESTREAM_LOG_LEVEL", ""), logging.INFO)
    structlog.configure(
        processors=[
            structlog.processors.add_log_level,
            structlog.processors.TimeStamper(fmt="iso", utc=True),
            structlog.processors.JSONRenderer(),
        ],
        wrapper_class=structlog.make_filtering_bound_logger(level),
        logger_factory=structlog.PrintLoggerFactory(out),
    )
