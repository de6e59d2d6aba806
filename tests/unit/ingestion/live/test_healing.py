"""A hole of the live feed is closed by what the provider says of it, not by an answer that says nothing."""

import asyncio
import random
from collections.abc import Callable, Sequence
from datetime import date
from types import SimpleNamespace
from typing import Any

import pytest

from ingestion.live.asking import Asking
from ingestion.live.healing import ASK_AGAIN_MS, Healing
from ingestion.live.work import LiveStream
from ingestion.providers.base import Answer, Row
from ingestion.records.instruments import Instrument
from market.timeframes import MINUTE_MS

pytestmark = pytest.mark.unit

At = Callable[[str], int]
DAY = date(2025, 11, 24)


class Kafka:
    def __init__(self) -> None:
        self.records: list[Any] = []

    def send(self, record: Any) -> bool:
        self.records.append(record)
        return True

    def flush(self, _timeout_s: float) -> None:
        """All is delivered."""


class Database:
    """Has one open hole, until it is closed."""

    def __init__(self, start_ms: int, end_ms: int) -> None:
        self.holes = [(7, start_ms, end_ms)]
        self.closed: list[Sequence[Any]] = []

    def run(self, sql: str, parameters: Sequence[Any] = ()) -> list[tuple[Any, ...]]:
        if sql.lstrip().startswith("SELECT"):
            return list(self.holes)
        if sql.startswith("UPDATE core.gaps"):
            self.closed.append(parameters)
            self.holes.clear()
        return []


def test_a_hole_stays_open_until_the_provider_has_rows_since_it_began(apple: Instrument, at: At) -> None:
    """Minutes      14:58 [14:59 15:00] 15:01 … 15:05
    first answer   nothing at all
    second answer  ■     ■     ■      ■     …"""
    now_ms = [at("2025-11-24T15:05")]
    rows = [Row(at("2025-11-24T14:58") + k * MINUTE_MS, DAY, 100.0, 100.0, 100.0, 100.0, 10.0) for k in range(7)]
    answers = [Answer(now_ms[0]), Answer(now_ms[0] + ASK_AGAIN_MS, rows)]
    provider: Any = SimpleNamespace(history=lambda *_: answers.pop(0))
    database: Any = Database(at("2025-11-24T14:59:10"), at("2025-11-24T15:00:40"))
    kafka: Any = Kafka()
    stream = LiveStream(provider, kafka, "yahoo", lambda: now_ms[0])
    stream.instruments = {"AAPL": apple}
    asking = Asking(lambda: now_ms[0], random.Random(1))
    healing = Healing(database, provider, asking, stream, kafka, "yahoo", "market.events.v1", lambda: now_ms[0])

    asyncio.run(healing._heal_due())
    assert (database.closed, kafka.records) == ([], [])
    asyncio.run(healing._heal_due())
    assert len(answers) == 1, "not asked again at once"

    now_ms[0] += ASK_AGAIN_MS
    asyncio.run(healing._heal_due())
    assert [bar.event_ms for bar in kafka.records] == [at("2025-11-24T14:59"), at("2025-11-24T15:00")]
    [(state, note, identity)] = database.closed
    assert (state, identity) == ("repaired", 7)
    assert "2 bars from the provider" in note
