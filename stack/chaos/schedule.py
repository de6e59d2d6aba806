"""What is killed, where in a batch, and after which pause: a seeded deck of every combination, dealt again when it is empty."""

import random
from collections.abc import Iterator
from dataclasses import dataclass
from enum import StrEnum


class Target(StrEnum):
    SPARK = "spark"
    POSTGRES = "postgres"
    BROKER = "broker"


# The points of `spark_jobs/kill_points.py`, by the names that stand in the file that arms them.
BEFORE_SCAN, AFTER_PARTIALS, IN_TRANSACTION, AFTER_COMMIT, IN_RECOMPUTATION = POINTS = (
    "before_scan",
    "after_partials",
    "in_transaction",
    "after_commit",
    "in_recomputation",
)
# COMMIT with the outcome unknown. The driver lives, its connection is cut: the server never heard of it, or was not heard.
COMMIT_LOST, COMMIT_UNANSWERED = "commit_lost", "commit_unanswered"
# Driver, JVM and workers at once, wherever they are.
ANYWHERE = "anywhere"

LONGEST_PAUSE_S = 3.0


@dataclass(frozen=True, slots=True)
class Kill:
    target: Target
    point: str
    pause_s: float = 0.5


DECK = (
    *((Target.SPARK, point) for point in (*POINTS, COMMIT_LOST, COMMIT_UNANSWERED, ANYWHERE)),
    # A server that dies while COMMIT is on its way: nobody knows.
    *((Target.POSTGRES, point) for point in (*POINTS, COMMIT_LOST)),
    *((Target.BROKER, point) for point in POINTS),
)


def schedule(seed: int) -> Iterator[Kill]:
    rng = random.Random(f"{seed}/schedule")  # noqa: S311  (seeded, for a test)
    while True:
        for target, point in rng.sample(DECK, len(DECK)):
            yield Kill(target, point, round(rng.uniform(0.2, LONGEST_PAUSE_S), 2))
