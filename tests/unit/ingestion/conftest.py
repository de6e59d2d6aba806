"""What several of these tests need: an instrument of New York, and times written as people do."""

from collections.abc import Callable
from datetime import datetime

import pytest

from ingestion.records.instruments import Instrument


@pytest.fixture
def apple() -> Instrument:
    return Instrument("AAPL", "Apple Inc.", "EQUITY", "NMS", "XNYS", "America/New_York", "USD", 2, True)


@pytest.fixture
def at() -> Callable[[str], int]:
    """Milliseconds of an ISO 8601 time in UTC: `at("2025-11-24T14:30")`."""
    return lambda text: int(datetime.fromisoformat(f"{text}+00:00").timestamp() * 1000)
