"""A provider restates all history at a split. Un-adjusted, it says what it said before."""

from collections.abc import Callable
from dataclasses import replace
from datetime import date, timedelta

import numpy as np
import pytest

from ingestion.providers.base import Answer, Row
from ingestion.records.instruments import Instrument
from ingestion.records.rows import records_of
from ingestion.records.splits import SplitFactors
from market.contracts import Bar

pytestmark = pytest.mark.unit

At = Callable[[str], int]
MONDAY, EX_DATE = date(2025, 11, 17), date(2025, 11, 24)
DAYS = [MONDAY + timedelta(days=k) for k in range(5)]


def printed(at: At) -> list[Row]:
    closes = (np.random.default_rng(3).integers(10_000, 90_000, len(DAYS)) / 100).tolist()
    return [
        Row(at(f"{day}T14:30"), day, close, close + 1.37, close - 2.11, close, 1_234_567.0 + k)
        for k, (day, close) in enumerate(zip(DAYS, closes, strict=True))
    ]


def restated(row: Row, ratio: float) -> Row:
    """The row as a provider gives it after a split: prices as 32-bit floats, volumes as whole shares."""
    prices = {name: float(np.float32(getattr(row, name) / ratio)) for name in ("open", "high", "low", "close")}
    return replace(row, **prices, volume=float(round(row.volume * ratio)))


def bars(answer: Answer, instrument: Instrument) -> list[Bar]:
    return records_of(answer, instrument, "1d", "yahoo", SplitFactors(answer.splits)).bars


@pytest.mark.parametrize("ratio", [2.0, 3.0, 4.0, 7.0, 10.0, 20.0])
def test_history_fetched_again_after_a_split_is_the_same_but_for_its_fetch_time(
    apple: Instrument, at: At, ratio: float
) -> None:
    rows = printed(at)
    first = bars(Answer(at("2025-11-22T12:00"), rows), apple)
    asked_ms = at("2025-11-25T12:00")
    again = bars(Answer(asked_ms, [restated(row, ratio) for row in rows], [(EX_DATE, ratio)]), apple)
    assert again == [replace(bar, fetched_ms=asked_ms) for bar in first]


def test_a_dividend_changes_no_price(apple: Instrument, at: At) -> None:
    rows, asked_ms = printed(at), at("2025-11-25T12:00")
    assert bars(Answer(asked_ms, rows, [], [(EX_DATE, 0.26)]), apple) == bars(Answer(asked_ms, rows), apple)
