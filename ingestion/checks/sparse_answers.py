"""Answers that lack most of what is known to have been traded.

A provider that has lost its data for a while gives rows without prices, or none, and may have a row or two among them all the same.
What such an answer does not have must not count as minutes in which nobody traded.
"""

from collections.abc import Sequence

import structlog

from ingestion import metrics, tables
from ingestion.database import Database
from ingestion.gaps.coverage import Covered
from ingestion.providers.base import Answer
from market.timeframes import MINUTE_MS

log = structlog.get_logger()

# Of fewer minutes with trades nothing is concluded: one of them may be a tick that was none.
FEWEST_TRADED = 10
# An answer has at least this share of them.
LEAST_SHARE = 0.5


def believed(database: Database, symbol: str, answer: Answer, pieces: Sequence[Covered]) -> tuple[list[Covered], str]:
    """The pieces that the answer may speak for, and a sentence about the others, where there are any.

    What we have is looked up only where an answer has few of a piece's minutes.
    """
    given = {row.ts_ms for row in answer.rows}
    thin = [piece for piece in pieces if is_thin(minutes_of(piece), given)]
    if not thin:
        return list(pieces), ""
    start_ms, end_ms = min(piece.start_ms for piece in thin), max(piece.end_ms for piece in thin)
    traded = tables.traded_minutes(database, symbol, start_ms, end_ms)
    doubted = {piece: [minute for minute in traded if piece.start_ms <= minute < piece.end_ms] for piece in thin}
    doubted = {
        piece: known for piece, known in doubted.items() if len(known) >= FEWEST_TRADED and is_thin(known, given)
    }
    if not doubted:
        return list(pieces), ""
    said = "; ".join(
        f"of {len(known)} minutes with trades on {piece.session_date} it has {len(given.intersection(known))}"
        for piece, known in doubted.items()
    )
    metrics.PROVIDER_ERRORS.labels(error="Sparse").inc()
    log.warning("answer not believed", symbol=symbol, detail=said)
    return [piece for piece in pieces if piece not in doubted], said


def minutes_of(piece: Covered) -> range:
    return range(piece.start_ms, piece.end_ms, MINUTE_MS)


def is_thin(minutes: Sequence[int], given: set[int]) -> bool:
    """Whether less than the least share of them is given."""
    return sum(minute in given for minute in minutes) < LEAST_SHARE * len(minutes)
