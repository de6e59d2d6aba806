"""The simulated market in both of its hours, shared by the tests that only read it."""

from datetime import datetime

import pytest

from simulator.listings import read_listings
from simulator.market import Market
from simulator.splits import read_splits

SEED = 7


def ms(text: str) -> int:
    """An ISO time with its offset, in milliseconds since the epoch."""
    return int(datetime.fromisoformat(text).timestamp() * 1000)


@pytest.fixture(scope="session")
def market() -> Market:
    """Around the clock."""
    return Market(SEED, read_listings(), read_splits(), "24/7")


@pytest.fixture(scope="session")
def exchanges() -> Market:
    """Every exchange at its own hours."""
    return Market(SEED, read_listings(), read_splits(), "XNYS")
