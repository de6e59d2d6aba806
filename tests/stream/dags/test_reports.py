"""The report of a session that has closed: when it is made, and what stands in it."""

from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from psycopg2.extensions import cursor

from dags.reports import objection, report, scores
from tests.stream.dashboard.rows import INSTRUMENT, insert

pytestmark = pytest.mark.stream

NOW = datetime.now(UTC)
CLOSED = NOW - timedelta(hours=1)
DAY = CLOSED.date()
REASONS = ("no_trade", "provider_gap", "throttled", "our_outage", "unconfirmed", "closed")
# Of 390 minutes. What the ledger knows of each, and what the stream and the live service counted.
APPLE = {"present": 380, "no_trade": 4, "provider_gap": 3, "our_outage": 3, "repaired": 7, "confirmed": 370}
MICROSOFT = {"present": 388, "closed": 1, "throttled": 1, "repaired": 2, "confirmed": 388}
COUNTS = {
    "AAPL": {"ticks": 1_000, "late": 20, "corrected": 5, "dead_lettered": 10, "repeated": 250},
    "MSFT": {"ticks": 500, "late": 0, "corrected": 1, "dead_lettered": 0, "repeated": 0},
}

Ask = Callable[..., list[tuple[Any, ...]]]


def session(write: cursor, closes: datetime = CLOSED) -> None:
    insert(
        write, "sessions", calendar="XNYS", session_date=DAY, opens_at=closes - timedelta(hours=6.5), closes_at=closes
    )


def judged(write: cursor, symbol: str, checked_at: datetime = NOW, **counts: int) -> None:
    insert(write, "instruments", **INSTRUMENT | {"symbol": symbol, "calendar": "XNYS"})
    named = dict.fromkeys(("pending", *REASONS), 0) | counts
    times = {"symbol": symbol, "session_date": DAY, "checked_at": checked_at, "is_settled": False}
    insert(write, "session_ledger", **times, expected=390, **named)
    insert(write, "quality", symbol=symbol, session_date=DAY, **COUNTS[symbol])


def test_a_report_has_the_sums_of_all_symbols_and_is_made_once(write: cursor, ask: Ask) -> None:
    session(write)
    judged(write, "AAPL", **APPLE)
    judged(write, "MSFT", **MICROSOFT)
    [(place, said)] = report().items()
    assert place == f"XNYS {DAY}"
    assert said == {
        "symbols": 2, "expected": 780, "present": 768, "confirmed": 758, "no_trade": 4, "provider_gap": 3, "throttled": 1,
        "our_outage": 3, "unconfirmed": 0, "closed": 1, "repaired": 9, "ticks": 1_500, "late": 20, "corrected": 6,
        "dead_lettered": 10, "score": 98.92, "lowest_score": 97.94,
        "worst_symbol": "AAPL",
    }  # fmt: skip
    assert said["expected"] == said["present"] + sum(said[reason] for reason in REASONS)
    assert ask("SELECT calendar, session_date, report FROM v1.session_reports") == [("XNYS", DAY, said)]
    assert report() == {}


@pytest.mark.parametrize(
    ("closed_ago", "apple", "microsoft", "is_made"),
    [
        (timedelta(hours=1), {}, {}, True),
        (timedelta(hours=-1), {}, {}, False),
        (timedelta(minutes=1), {}, {}, False),  # its last minutes are under way
        # One symbol has not been looked at since the bell: a report of the other would be the session's only one.
        (timedelta(hours=1), {}, {"checked_at": CLOSED - timedelta(minutes=1)}, False),
        (timedelta(hours=1), {"present": 375, "pending": 5}, {}, False),
    ],
)
def test_a_report_waits_until_the_ledger_has_seen_all_of_the_session(
    write: cursor, closed_ago: timedelta, apple: dict[str, Any], microsoft: dict[str, Any], is_made: bool
) -> None:
    now = datetime.now(UTC)
    session(write, now - closed_ago)
    judged(write, "AAPL", **{"checked_at": now} | APPLE | apple)
    judged(write, "MSFT", **{"checked_at": now} | MICROSOFT | microsoft)
    assert bool(report()) is is_made


def test_a_symbol_that_is_followed_no_more_keeps_no_report_waiting(write: cursor) -> None:
    session(write)
    judged(write, "AAPL", **APPLE)
    judged(write, "MSFT", CLOSED - timedelta(minutes=1), **MICROSOFT)
    write.execute("UPDATE core.instruments SET tracked = false WHERE symbol = 'MSFT'")
    [said] = report().values()
    assert (said["symbols"], said["expected"]) == (1, 390)


def test_the_gate_judges_closed_sessions_and_names_the_worst_first(write: cursor) -> None:
    session(write)
    judged(write, "AAPL", **APPLE)
    judged(write, "MSFT", **MICROSOFT)
    # A session that is open has time to become better.
    open_now = {
        "calendar": "24/7",
        "session_date": DAY,
        "opens_at": NOW - timedelta(hours=1),
        "closes_at": NOW + timedelta(hours=1),
    }
    insert(write, "sessions", **open_now)
    insert(write, "instruments", **INSTRUMENT | {"symbol": "BTC-USD"})
    none = dict.fromkeys(REASONS, 0) | {"present": 1, "our_outage": 59}
    insert(
        write, "session_ledger", symbol="BTC-USD", session_date=DAY, expected=60, pending=0, is_settled=False, **none
    )
    found = scores(3)
    assert [(symbol, day, worst) for symbol, day, worst, *_ in found] == [
        ("AAPL", str(DAY), "uniqueness"),
        ("MSFT", str(DAY), "completeness"),
    ]
    said = objection(found, 99.0)
    assert said is not None
    assert said.startswith("1 of 2 sessions are below 99: AAPL on")
    assert scores(-1) == []
