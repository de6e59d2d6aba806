"""Holes of the live feed: the minutes of an outage, and how they are filled from the provider's bars."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

import numpy as np

from ingestion.checks.sparse_answers import believed
from ingestion.database import Database
from ingestion.gaps.coverage import Covered, clipped, of_window
from ingestion.providers.base import DAY_MS, Provider
from ingestion.records.instruments import Instrument
from ingestion.records.rows import Records, records_of
from ingestion.records.splits import SplitFactors
from market.calendars import sessions_of
from market.contracts import PROVIDER_SETTLE_MS
from market.timeframes import MINUTE_MS

REASON = "feed outage"
# What is older is a backfill's work.
LONGEST_MS = 6 * DAY_MS
# After the provider's settling time, so that all rows of the hole are complete in one answer.
MARGIN_MS = 5_000


@dataclass(frozen=True, slots=True)
class Hole:
    """From the last proof that the feed was complete to the next; both in milliseconds since the epoch."""

    start_ms: int
    end_ms: int

    @property
    def first_minute_ms(self) -> int:
        return self.start_ms // MINUTE_MS * MINUTE_MS

    @property
    def end_minute_ms(self) -> int:
        """The end of the last minute that the hole touches."""
        return -(-self.end_ms // MINUTE_MS) * MINUTE_MS

    @property
    def settled_ms(self) -> int:
        """From when on the provider's bars of all its minutes are complete."""
        return self.end_minute_ms + PROVIDER_SETTLE_MS + MARGIN_MS

    def holds(self, minute_ms: int) -> bool:
        return self.first_minute_ms <= minute_ms < self.end_minute_ms


def touches_trading(hole: Hole, calendars: Iterable[str]) -> bool:
    """Whether any of the calendars had a regular session in the hole's minutes."""
    minutes = np.arange(hole.first_minute_ms, hole.end_minute_ms, MINUTE_MS, dtype=np.int64)
    return any(bool(sessions_of(calendar, minutes).is_regular.any()) for calendar in set(calendars))


def fill(
    database: Database, holes: Sequence[Hole], instrument: Instrument, provider: Provider, source: str
) -> tuple[Records, list[Covered]]:
    """The provider's complete minutes in the holes, for one symbol, in one request, and what the answer spoke for of them.

    The records have the splits of the whole answer. Raises `ProviderError`, `DatabaseAway`.
    """
    start_ms = min(hole.first_minute_ms for hole in holes)
    answer = provider.history(instrument.symbol, "1m", start_ms, None)
    records = records_of(answer, instrument, "1m", source, SplitFactors(answer.splits))
    records.bars = [bar for bar in records.bars if bar.is_complete and any(hole.holds(bar.event_ms) for hole in holes)]
    spoken_for = of_window(answer, instrument.calendar, start_ms, None)
    spoken_for, _ = believed(database, instrument.symbol, answer, spoken_for)
    return records, list(clipped(spoken_for, ((hole.first_minute_ms, hole.end_minute_ms) for hole in holes)))
