from contextlib import suppress
from pathlib import Path

import pytest

from ingestion.errors import Throttled, Unavailable
from ingestion.requesting.budget import Budget

pytestmark = pytest.mark.unit


class Clock:
    """Time that passes only when somebody sleeps."""

    def __init__(self) -> None:
        self.now_s = 1_700_000_000.0
        self.slept_s = 0.0

    def now(self) -> float:
        return self.now_s

    def sleep(self, seconds: float) -> None:
        self.now_s += seconds
        self.slept_s += seconds


@pytest.fixture
def clock() -> Clock:
    return Clock()


def budget(folder: Path, clock: Clock, per_minute: int = 60, keep: int = 0) -> Budget:
    return Budget(folder / "requests.json", per_minute, keep, clock.now, clock.sleep)


def test_a_minutes_worth_is_free_and_then_it_takes_a_second_each(tmp_path: Path, clock: Clock) -> None:
    ours = budget(tmp_path, clock)
    for _ in range(60):
        ours.take()
    assert clock.slept_s == 0.0
    for _ in range(3):
        ours.take()
    assert clock.slept_s == pytest.approx(3.0)


def test_all_processes_of_a_home_share_it(tmp_path: Path, clock: Clock) -> None:
    one, other = budget(tmp_path, clock), budget(tmp_path, clock)
    for _ in range(30):
        one.take()
        other.take()
    other.take()
    assert clock.slept_s == pytest.approx(1.0)


def test_a_backfill_leaves_some_to_the_poll(tmp_path: Path, clock: Clock) -> None:
    backfill, poll = budget(tmp_path, clock, keep=20), budget(tmp_path, clock)
    for _ in range(40):
        backfill.take()
    assert clock.slept_s == 0.0
    for _ in range(20):
        poll.take()
    assert clock.slept_s == 0.0


class Busy(Exception):
    """There is no token now, and who asked does not wait."""


def test_who_leaves_some_to_others_waits_a_while_and_not_for_ever(tmp_path: Path, clock: Clock) -> None:
    """One in a hurry takes each token as it comes; a poll has one of ten seconds' all the same, a backfill one of forty."""

    def hurry(_seconds: float) -> None:
        raise Busy

    hasty = Budget(tmp_path / "requests.json", 60, 0, clock.now, hurry)
    taken = 0

    def sleep(seconds: float) -> None:
        nonlocal taken
        until_s = clock.now_s + seconds
        while clock.now_s < until_s:
            clock.now_s = min(clock.now_s + 0.1, until_s)
            with suppress(Busy):
                hasty.take()
                taken += 1

    for _ in range(60):
        hasty.take()
    for keep, longest_s in ((5, 12), (20, 42)):
        began_s = clock.now_s
        Budget(tmp_path / "requests.json", 60, keep, clock.now, sleep).take()
        assert keep < clock.now_s - began_s <= longest_s
    assert taken >= 40


def test_after_a_429_nobody_asks_for_as_long_as_the_provider_says(tmp_path: Path, clock: Clock) -> None:
    one, other = budget(tmp_path, clock), budget(tmp_path, clock)
    assert one.refused(40.0).next_try_s == pytest.approx(40.0)
    clock.now_s += 10
    with pytest.raises(Throttled, match="next try in 30 s"):
        other.take()
    clock.now_s += 30
    other.take()


def test_each_429_in_a_row_doubles_the_wait_and_an_answer_ends_it(tmp_path: Path, clock: Clock) -> None:
    ours = budget(tmp_path, clock)
    waits = []
    for _ in range(7):
        wait_s = ours.refused(None).next_try_s or 0
        waits.append(wait_s)
        clock.now_s += wait_s
    assert waits == [30, 60, 120, 240, 480, 900, 900]
    ours.answered()
    assert ours.refused(None).next_try_s == 30


def test_a_file_that_was_cut_short_is_a_full_bucket(tmp_path: Path, clock: Clock) -> None:
    (tmp_path / "requests.json").write_text('{"tokens": 1')
    budget(tmp_path, clock).take()
    assert clock.slept_s == 0.0


def test_a_wall_clock_that_goes_back_neither_fills_nor_hangs(tmp_path: Path, clock: Clock) -> None:
    ours = budget(tmp_path, clock)
    for _ in range(60):
        ours.take()
    clock.now_s -= 36_000
    ours.take()
    assert clock.slept_s == pytest.approx(1.0)
    ours.refused(600.0)
    clock.now_s -= 36_000
    with pytest.raises(Throttled, match="next try in 3600 s"):
        ours.take()


def test_a_storm_of_refusals_shrinks_the_rate_for_all_and_answers_restore_it(tmp_path: Path, clock: Clock) -> None:
    ours, theirs = budget(tmp_path, clock), budget(tmp_path, clock)
    for expected in (30.0, 15.0, 7.5, 6.0, 6.0):
        # Those that were under way together are one refusal.
        for _ in range(3):
            ours.refused(None)
        assert theirs.per_minute == pytest.approx(expected)
        clock.now_s += 901
    for _ in range(54):
        theirs.answered()
    assert ours.per_minute == pytest.approx(60.0)


def test_a_host_that_fails_again_and_again_rests_and_is_then_tried_once(tmp_path: Path, clock: Clock) -> None:
    ours, theirs = budget(tmp_path, clock), budget(tmp_path, clock)
    for _ in range(5):
        ours.take("query2")
        ours.host_failed("query2")
    with pytest.raises(Unavailable, match="query2 failed 5 times in a row, next try in 20 s") as raised:
        theirs.take("query2")
    assert raised.value.next_try_s == pytest.approx(20.0)
    theirs.take("query1")
    clock.now_s += 21
    ours.take("query2")
    # One at a time tries, until it is known how that went.
    with pytest.raises(Unavailable):
        theirs.take("query2")
    ours.host_failed("query2")
    with pytest.raises(Unavailable, match="next try in 40 s"):
        ours.take("query2")
    clock.now_s += 41
    ours.take("query2")
    ours.host_worked("query2")
    theirs.take("query2")
