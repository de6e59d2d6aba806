"""How often the database is asked about symbols that it does not know."""

import pytest

from spark_jobs.strangers import AGAIN_S, MOST_NAMES, Strangers

pytestmark = pytest.mark.unit


class Clock:
    now_s = 100.0

    def __call__(self) -> float:
        return self.now_s


@pytest.fixture
def clock() -> Clock:
    return Clock()


def asked(strangers: Strangers, *symbols: str) -> bool:
    """One batch of the stream with these unknown symbols, which the database does not know either."""
    if not strangers.are_worth_asking(symbols):
        return False
    strangers.asked(symbols)
    return True


def test_a_flood_of_one_unknown_symbol_costs_a_question_every_two_seconds_however_many_batches_it_fills(
    clock: Clock,
) -> None:
    strangers, questions = Strangers(clock), 0
    for _ in range(200):  # 200 batches in ten seconds
        questions += asked(strangers, "FOO")
        clock.now_s += 0.05
    assert 5 <= questions <= 6


def test_a_symbol_that_comes_for_the_first_time_is_asked_about_at_once_in_the_midst_of_a_flood(clock: Clock) -> None:
    strangers = Strangers(clock)
    assert asked(strangers, "FOO")
    clock.now_s += 0.05
    assert not asked(strangers, "FOO")
    assert asked(strangers, "FOO", "NEW")


def test_a_flood_of_names_that_never_come_twice_is_bounded_in_memory_and_in_questions(clock: Clock) -> None:
    strangers, questions = Strangers(clock), 0
    for batch in range(100):  # in one second
        questions += asked(strangers, *(f"X{batch}-{n}" for n in range(1_000)))
        clock.now_s += 0.01
    assert questions == MOST_NAMES // 1_000
    clock.now_s += AGAIN_S
    assert asked(strangers, "NEW")
