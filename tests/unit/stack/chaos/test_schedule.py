"""What a chaos run kills, and that both sides mean the same places."""

from collections import Counter
from itertools import islice

import pytest

from spark_jobs import kill_points
from stack.chaos import job, schedule
from stack.chaos.schedule import ANYWHERE, COMMIT_LOST, COMMIT_UNANSWERED, DECK, LONGEST_PAUSE_S, POINTS, Target

pytestmark = pytest.mark.unit


def test_the_points_are_those_of_the_stream() -> None:
    assert {*POINTS, COMMIT_LOST, COMMIT_UNANSWERED} == {point.value for point in kill_points.Point}
    assert {COMMIT_LOST, COMMIT_UNANSWERED} == {point.value for point in kill_points.AT_COMMIT}
    assert job.KILL_POINTS == kill_points.VARIABLE


def test_a_seed_gives_the_same_kills_and_another_seed_others() -> None:
    first, again, other = (list(islice(schedule.schedule(seed), 40)) for seed in (5, 5, 6))
    assert first == again != other


def test_every_combination_comes_once_in_a_deck() -> None:
    kills = list(islice(schedule.schedule(11), 3 * len(DECK)))
    assert set(Counter((kill.target, kill.point) for kill in kills).values()) == {3}
    assert {kill.point for kill in kills if kill.target == Target.SPARK} == {
        *POINTS,
        COMMIT_LOST,
        COMMIT_UNANSWERED,
        ANYWHERE,
    }
    assert all(0 < kill.pause_s <= LONGEST_PAUSE_S for kill in kills)
