"""How long to wait before trying again."""

import random


def backoff_s(attempt: int, *, first_s: float, longest_s: float, rng: random.Random) -> float:
    """Exponential with jitter, so that what failed together does not return together. `attempt` counts from 0."""
    return min(longest_s, first_s * 2.0 ** min(attempt, 30)) * rng.uniform(0.5, 1.0)
