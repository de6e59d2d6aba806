"""Whose prices they are."""

# The one provider whose prices are a market's.
REAL = "yahoo"


def is_simulated(source: str) -> bool:
    """Whether prices of this source must be marked: whatever else fed the platform is not a market."""
    return source != REAL
