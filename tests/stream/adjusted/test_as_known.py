"""Splits and dividends as of a time: as they were known, corrected and withdrawn, and as they are known today."""

from collections.abc import Callable
from datetime import UTC, datetime, timedelta

import pytest
from psycopg2.extensions import connection as Connection

from market.actions import TAKEN_BACK
from tests.stream.adjusted.telling import Rows, flat, tell

pytestmark = pytest.mark.stream


def test_every_word_about_an_action_is_kept_with_when_it_was_known(
    write: Connection, read: Callable[..., Rows]
) -> None:
    #   told      4:1 ........ 4:1 again ..... 5:1 (corrected) ..... 3:1, fetched before the correction
    #   a reader  100 / 4      100 / 4         100 / 5               100 / 5
    flat(write, "AAPL", "2026-03-02", 100.0)
    word = ("AAPL", "2026-03-03", "split")
    fetched = datetime(2026, 3, 3, 12, tzinfo=UTC)
    before = read("SELECT clock_timestamp()")[0][0]
    first = tell(write, (*word, 4.0), at=fetched)
    [(since,)] = read("SELECT updated_at FROM v1.corporate_actions")
    again = tell(write, (*word, 4.0), at=fetched + timedelta(hours=2))
    assert read("SELECT value, updated_at, received_at FROM v1.corporate_actions") == [
        (4.0, since, fetched + timedelta(hours=2))
    ]
    assert read("SELECT count(*) FROM v1.corporate_action_revisions") == [(0,)], "what is said twice is no revision"
    corrected = tell(write, (*word, 5.0), at=fetched + timedelta(hours=3))
    late = tell(write, (*word, 3.0), at=fetched + timedelta(hours=1))
    [(value, known_since)] = read("SELECT value, updated_at FROM v1.corporate_actions")
    assert value == 5.0, "what was told last counts, whenever it comes"
    assert read("SELECT value, updated_at, superseded_at FROM v1.corporate_action_revisions") == [
        (4.0, since, known_since)
    ]

    query = """SELECT split_close FROM v1.bars_adjusted_as_of('AAPL', '1d', %s, %s)"""
    assert [read(query, at, "seen") for at in (before, first, again, corrected, late)] == [
        [(100.0,)], [(25.0,)], [(25.0,)], [(20.0,)], [(20.0,)]
    ]  # fmt: skip
    assert [read(query, at, "event") for at in (before, late)] == [[(20.0,)], [(20.0,)]], "in today's knowledge"
    told = read("SELECT value, known_since, superseded_at FROM v1.corporate_actions_as_of('AAPL', %s, 'seen')", again)
    assert told == [(4.0, since, known_since)]


def test_what_is_withdrawn_is_seen_as_it_was_seen_and_nowhere_else(
    write: Connection, read: Callable[..., Rows]
) -> None:
    #   published | withdrawn, split and dividend | a late copy of what was withdrawn | published again, another value
    flat(write, "AAPL", "2026-03-02", 100.0)
    flat(write, "AAPL", "2026-03-03", 100.0)
    fetched = datetime(2026, 3, 4, tzinfo=UTC)

    def told(value: float, amount: float, days: int) -> datetime:
        words = ("AAPL", "2026-03-03", "split", value), ("AAPL", "2026-03-04", "dividend", amount)
        return tell(write, *words, at=fetched + timedelta(days=days))

    published = told(4.0, 1.0, 0)
    assert read("SELECT count(*) FROM v1.adjustments") == [(2,)]
    withdrawn = told(TAKEN_BACK, TAKEN_BACK, 2)
    now = "SELECT split_close, total_return_close FROM v1.bars_adjusted('AAPL', '1d') ORDER BY ts LIMIT 1"
    as_of = (
        "SELECT split_close, total_return_close FROM v1.bars_adjusted_as_of('AAPL', '1d', %s, %s) ORDER BY ts LIMIT 1"
    )
    assert read(now) == [(100.0, 100.0)]
    late = told(4.0, 1.0, 1)
    assert read(now) == [(100.0, 100.0)], "it was fetched before it was withdrawn"
    assert read("SELECT * FROM v1.corporate_actions") == read("SELECT * FROM v1.adjustments") == []
    kept = read("SELECT action, value, superseded_at > updated_at FROM v1.corporate_action_revisions ORDER BY action")
    assert kept == [("dividend", 1.0, True), ("split", 4.0, True)]
    assert [read(as_of, at, "seen")[0][0] for at in (published, withdrawn, late)] == [25.0, 100.0, 100.0]
    # 1 of 100 is a hundredth of the printed close of the day before it.
    assert read(as_of, published, "seen") == [(25.0, pytest.approx(24.75))]
    assert read(as_of, published, "event") == [(100.0, 100.0)], "in today's knowledge"
    again = told(2.0, 0.5, 3)
    assert read(now) == [(50.0, pytest.approx(49.75))]
    assert [read(as_of, at, "seen")[0][0] for at in (published, withdrawn, late, again)] == [25.0, 100.0, 100.0, 50.0]


def test_by_event_time_a_split_is_there_from_its_ex_date_on(write: Connection, read: Callable[..., Rows]) -> None:
    flat(write, "AAPL", "2026-03-02", 100.0)
    tell(write, ("AAPL", "2026-03-04", "split", 4.0), ("AAPL", "2026-03-04", "dividend", 0.5))
    query = "SELECT split_close, total_return_close FROM v1.bars_adjusted_as_of('AAPL', '1d', %s, 'event')"
    # Midnight of New York is 05:00 UTC. 0.50 is a fiftieth of 25.
    assert read(query, datetime(2026, 3, 4, 4, 59, tzinfo=UTC)) == [(100.0, 100.0)]
    assert read(query, datetime(2026, 3, 4, 5, 0, tzinfo=UTC)) == [(25.0, pytest.approx(24.5))]
