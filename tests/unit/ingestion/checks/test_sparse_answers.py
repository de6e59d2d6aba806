"""An answer that lacks most of what was traded does not speak for the rest."""

from collections.abc import Callable, Iterable
from datetime import date
from typing import Any

import pytest

from ingestion.checks.sparse_answers import FEWEST_TRADED, believed
from ingestion.gaps.coverage import of_window
from ingestion.providers.base import Answer, Row
from market.timeframes import MINUTE_MS

pytestmark = pytest.mark.unit

At = Callable[[str], int]

FRIDAY, MONDAY = date(2025, 11, 21), date(2025, 11, 24)


class Database:
    """Knows the minutes that were traded, and counts who asks."""

    def __init__(self, traded: Iterable[int]) -> None:
        self.traded = list(traded)
        self.questions = 0

    def run(self, _sql: str, parameters: Any) -> list[tuple[int]]:
        self.questions += 1
        _, start, end = parameters
        return [(minute,) for minute in self.traded if start.timestamp() * 1000 <= minute < end.timestamp() * 1000]


def minutes(begin_ms: int, count: int, step: int = 1) -> list[int]:
    return [begin_ms + place * step * MINUTE_MS for place in range(count)]


def asked(database: Database, at: At, given: Iterable[int]) -> tuple[list[date], str]:
    """The sessions that an answer about Friday and Monday may speak for, and what is said of the others."""
    answer = Answer(at("2025-11-25T08:00"), [Row(ms, MONDAY, *[1.0] * 4, 1.0) for ms in given])
    pieces = of_window(answer, "XNYS", at("2025-11-21T14:30"), None)
    assert [piece.session_date for piece in pieces] == [FRIDAY, MONDAY]
    kept, said = believed(database, "AAPL", answer, pieces)  # type: ignore[arg-type]
    return [piece.session_date for piece in kept], said


def test_a_session_whose_rows_are_lost_but_for_the_auctions_is_not_spoken_for(at: At) -> None:
    # Friday   traded ■■■■■■…■■ 200      given ····…· ■ (the auction's print, after the bell)
    # Monday   traded ■■■■■■…■■ 390      given ■■■■…■■
    traded = minutes(at("2025-11-21T14:30"), 200) + minutes(at("2025-11-24T14:30"), 390)
    given = [at("2025-11-21T21:00"), *minutes(at("2025-11-24T14:30"), 390)]
    kept, said = asked(Database(traded), at, given)
    assert kept == [MONDAY]
    assert said == "of 200 minutes with trades on 2025-11-21 it has 0"


@pytest.mark.parametrize(("given", "is_believed"), [(100, True), (99, False)])
def test_half_of_what_was_traded_is_enough(at: At, given: int, is_believed: bool) -> None:
    # Feeds and providers disagree about single minutes, and a provider may have a hole.
    traded = minutes(at("2025-11-21T14:30"), 200)
    kept, _ = asked(Database(traded), at, traded[:given])
    assert (FRIDAY in kept) is is_believed


def test_of_a_symbol_that_hardly_trades_a_few_rows_are_an_answer(at: At) -> None:
    traded = minutes(at("2025-11-21T14:30"), 30, step=13)
    assert asked(Database(traded), at, traded) == ([FRIDAY, MONDAY], "")


@pytest.mark.parametrize(("ticks", "is_believed"), [(FEWEST_TRADED - 1, True), (FEWEST_TRADED, False)])
def test_a_few_ticks_are_no_proof_against_a_provider(at: At, ticks: int, is_believed: bool) -> None:
    kept, _ = asked(Database(minutes(at("2025-11-21T15:00"), ticks)), at, [at("2025-11-21T21:00")])
    assert (FRIDAY in kept) is is_believed


def test_an_answer_with_most_minutes_costs_no_question(at: At) -> None:
    database = Database([])
    given = minutes(at("2025-11-21T14:30"), 390) + minutes(at("2025-11-24T14:30"), 300)
    assert asked(database, at, given) == ([FRIDAY, MONDAY], "")
    assert database.questions == 0
