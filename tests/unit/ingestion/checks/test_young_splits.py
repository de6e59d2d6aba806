"""Rows from before a young split are checked before they are believed."""

from collections.abc import Callable
from datetime import date
from typing import Any

import pytest

from ingestion.checks.young_splits import judge, keep_believed, spoken_for
from ingestion.gaps.coverage import Covered
from ingestion.records.rows import Records
from market.contracts import Bar

pytestmark = pytest.mark.unit

At = Callable[[str], int]
THURSDAY, FRIDAY, MONDAY = date(2020, 8, 27), date(2020, 8, 28), date(2020, 8, 31)
SPLITS = [(MONDAY, 4.0)]


def day(session_date: date, close: float) -> Bar:
    return Bar(
        source="yahoo",
        event_ms=(session_date - date(1970, 1, 1)).days * 86_400_000,
        fetched_ms=1,
        symbol="AAPL",
        timeframe="1d",
        **dict.fromkeys(("open", "high", "low", "close"), close),
        session_date=session_date.isoformat(),
        is_complete=True,
    )


class Tables:
    """The database: daily closes as stored, and what was written about the quarantine."""

    def __init__(self, closes: dict[date, float], is_in: bool = False) -> None:
        self.closes = closes
        self.is_in = is_in
        self.questions = 0
        self.notes: list[str] = []

    def run(self, statement: str, parameters: Any = ()) -> list[Any]:
        self.questions += 1
        if statement.startswith("SELECT session_date, close"):
            return list(self.closes.items())
        if "INTO core.quarantine" in statement:
            is_new, self.is_in = not self.is_in, True
            return [(is_new,)]
        if "UPDATE core.quarantine" in statement:
            was_in, self.is_in = self.is_in, False
            return [(1,)] if was_in else []
        self.notes.append(parameters[2])
        return []


def kept(tables: Tables, bars: list[Bar], at: At, asked: str = "2020-08-31T14:00") -> tuple[list[float], set[date]]:
    """(closes that are believed, sessions that are not)."""
    records = Records(bars=bars)
    doubted, _ = keep_believed(tables, records, SPLITS, "AAPL", at(asked))  # type: ignore[arg-type]
    return [bar.close for bar in records.bars], set(doubted)


@pytest.mark.parametrize("off_by", [4.0, 0.25])
def test_a_provider_that_adjusts_late_or_twice_is_not_believed_and_is_once_it_is_right(at: At, off_by: float) -> None:
    tables = Tables({THURSDAY: 500.04, FRIDAY: 499.23})
    wrong = [day(THURSDAY, 500.04 * off_by), day(FRIDAY, 499.23 * off_by), day(MONDAY, 129.04)]
    assert kept(tables, wrong, at) == ([129.04], {THURSDAY, FRIDAY})
    assert tables.is_in
    assert "are not believed yet" in tables.notes[0]
    right = [day(THURSDAY, 500.04), day(FRIDAY, 499.23), day(MONDAY, 129.04)]
    assert kept(tables, right, at) == ([500.04, 499.23, 129.04], set())
    assert not tables.is_in


def test_a_correction_of_some_per_cent_is_no_wrong_adjustment(at: At) -> None:
    bars = [day(FRIDAY, 480.0), day(MONDAY, 129.04)]
    assert kept(Tables({FRIDAY: 499.23}), bars, at) == ([480.0, 129.04], set())


def test_where_nothing_is_stored_the_jump_at_the_split_tells() -> None:
    def is_right(before: float, ratio: float = 4.0) -> bool | None:
        return judge([day(FRIDAY, before), day(MONDAY, 129.04)], {}, MONDAY, ratio).is_right

    assert is_right(499.23) is True
    # A night's fall of a tenth is a night's fall.
    assert is_right(560.0) is True
    assert is_right(1996.92) is False
    assert is_right(124.81) is False
    # What a market can do as well in a night tells nothing, and neither does a split without a row on both sides.
    assert is_right(130.0, 1.05) is None
    assert judge([day(FRIDAY, 499.23)], {}, MONDAY, 4.0).is_right is None


def test_one_witness_is_enough_for_the_rows(at: At) -> None:
    # What is stored was off by the ratio already: the jump at the split is as it should be.
    assert kept(Tables({FRIDAY: 124.81}), [day(FRIDAY, 499.23), day(MONDAY, 129.04)], at)[1] == set()
    # The price fell by three quarters in the night of the split: the close is what was printed.
    assert kept(Tables({FRIDAY: 499.23}), [day(FRIDAY, 499.23), day(MONDAY, 32.0)], at)[1] == set()


def test_an_answer_without_a_young_split_costs_no_question(at: At) -> None:
    tables = Tables({FRIDAY: 499.23})
    bars = [day(FRIDAY, 1996.92), day(MONDAY, 129.04)]
    assert kept(tables, bars, at, asked="2020-12-01T14:00")[0] == [1996.92, 129.04]
    assert tables.questions == 0


def test_sessions_whose_rows_were_held_back_count_as_not_asked_about() -> None:
    pieces = [Covered(day, 0, 60_000, 1) for day in (FRIDAY, MONDAY)]
    assert spoken_for(pieces, frozenset({FRIDAY})) == pieces[1:]
