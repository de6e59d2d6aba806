"""The formulas of docs/quality.md, worked out by hand."""

from datetime import date
from typing import Any

import pytest
from psycopg2.extensions import cursor

from ingestion import tables
from ingestion.database import Database as Connection
from tests.embedded import Database
from tests.stream.dashboard.rows import insert

pytestmark = pytest.mark.stream

DAY = date(2026, 11, 24)
NONE = dict.fromkeys(
    ("pending", "no_trade", "provider_gap", "throttled", "our_outage", "unconfirmed", "closed", "disagree"), 0
)
SCORE = """SELECT completeness, consistency, validity, timeliness, uniqueness, score, worst FROM v1.quality_scores
           WHERE symbol = 'AAPL'"""


def score(write: cursor, ledger: dict[str, Any], counted: dict[str, int] | None) -> tuple[Any, ...]:
    values = NONE | {"symbol": "AAPL", "session_date": DAY, "is_settled": False} | ledger
    insert(write, "session_ledger", **values)
    if counted is not None:
        insert(write, "quality", symbol="AAPL", session_date=DAY, **counted)
    write.execute(SCORE)
    rows = write.fetchall()
    return rows[0] if rows else ()


@pytest.mark.parametrize(
    ("ledger", "counted", "expected"),
    [
        # All of it: (300 + 30 + 10) of 390 − 40 that are due; (300 − 30) of 300; (300 + 900) of 1,225; 810 of 900; 900 of 1,000.
        (
            {
                "expected": 390, "pending": 40, "present": 300, "no_trade": 30, "closed": 10, "provider_gap": 4, "throttled": 3,
                "our_outage": 2, "unconfirmed": 1, "disagree": 30,
            },
            {"ticks": 900, "late": 90, "dead_lettered": 25, "repeated": 100},
            (97.14, 90.0, 97.96, 90.0, 90.0, 0.4 * 97.14 + 0.2 * 90.0 + 0.2 * 97.96 + 0.15 * 90.0 + 0.05 * 90.0, "consistency"),
        ),
        # The provider's day is another one: half of the consistency.
        (
            {"expected": 390, "present": 390, "disagree": 39, "day_agrees": False},
            {"ticks": 100, "late": 0, "dead_lettered": 0, "repeated": 0},
            (100.0, 45.0, 100.0, 100.0, 100.0, 89.0, "consistency"),
        ),
        # Its day agrees; a minute of each kind that is somebody's fault.
        (
            {
                "expected": 100, "present": 96, "provider_gap": 1, "throttled": 1, "our_outage": 1, "unconfirmed": 1,
                "day_agrees": True,
            },
            {"ticks": 100, "late": 100, "dead_lettered": 0, "repeated": 0},
            (96.0, 100.0, 100.0, 0.0, 100.0, 0.4 * 96 + 20 + 20 + 0 + 5, "timeliness"),
        ),
        # Without ticks there is nothing to be late or repeated: the mean of the other three, by their weights.
        (
            {"expected": 100, "present": 50, "our_outage": 50},
            None,
            (50.0, 100.0, 100.0, None, None, (0.4 * 50 + 0.2 * 100 + 0.2 * 100) / 0.8, "completeness"),
        ),
        # Nothing is due yet.
        ({"expected": 5, "pending": 5, "present": 0}, None, ()),
    ],
)  # fmt: skip
def test_a_score_is_what_the_page_says(
    write: cursor, ledger: dict[str, Any], counted: dict[str, int] | None, expected: tuple[Any, ...]
) -> None:
    found = score(write, ledger, counted)
    assert found[:5] == expected[:5]
    assert found[5:] == ((pytest.approx(expected[5], abs=0.006), expected[6]) if expected else ())


def test_what_the_feed_repeats_adds_up_by_symbol_and_session(postgres: Database, write: cursor) -> None:
    database = Connection(postgres.writer)
    tables.add_repeats(database, {})
    tables.add_repeats(database, {("AAPL", DAY): 3, ("MSFT", DAY): 1})
    tables.add_repeats(database, {("AAPL", DAY): 4})
    database.close()
    write.execute("SELECT symbol, repeated FROM core.quality ORDER BY symbol")
    assert write.fetchall() == [("AAPL", 7), ("MSFT", 1)]
