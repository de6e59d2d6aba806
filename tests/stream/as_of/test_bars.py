"""As of: what the tables said at a time, against what they did say then; what was true by event time, against the log itself."""

import re
from datetime import datetime, timedelta
from itertools import islice, pairwise

import psycopg2
import pytest
from psycopg2.extensions import connection as Connection

from market.as_of import indicators_as_of
from tests.stream.as_of.commits import (
    DAY,
    PARTITION,
    SYMBOL,
    Commit,
    TimedStore,
    ask,
    bars_as_of,
    batches,
    corrected,
    indicators_seen,
    minute,
)
from tests.stream.test_contracts import DOCUMENT
from tests.unit.market.folds import Fold
from tests.unit.market.worlds import ClockEvent, TickEvent

pytestmark = pytest.mark.stream


def test_seen_is_what_the_tables_said_after_each_commit(reader: Connection, history: list[Commit]) -> None:
    #   commit   1     2     3  ...        asked when all are done, at a time after each of them:
    #   asked       ^     ^     ^          bars with their revision numbers and all indicators, to the last bit
    assert len({str(commit.bars) for commit in history}) == len(history), "every commit changed something"
    for commit in history:
        assert bars_as_of(reader, commit.after, "seen") == commit.bars
        assert indicators_seen(reader, commit.after) == commit.indicators


def test_what_was_not_committed_yet_was_not_seen(reader: Connection, history: list[Commit]) -> None:
    #   transaction 2      began |------------| committed
    #   asked                         ^ sees what transaction 1 left
    assert bars_as_of(reader, history[0].inside, "seen") == []
    for before, commit in pairwise(history):
        assert bars_as_of(reader, commit.inside, "seen") == before.bars
        assert bars_as_of(reader, commit.began_at, "seen") == before.bars
    assert indicators_seen(reader, history[5].inside) == history[4].indicators


def test_a_commit_that_nobody_noted_counts_from_its_beginning(store: TimedStore, reader: Connection) -> None:
    """The writer died after COMMIT: the transaction is known by the time it began."""
    fold = Fold(store)
    for events in islice(batches(), 2):
        fold.step(events)
    first, second = store.commits
    with store.connection, store.connection.cursor() as cursor:
        cursor.execute("DELETE FROM core.commits")
    assert bars_as_of(reader, second.inside, "seen") == second.bars
    assert bars_as_of(reader, second.began_at - timedelta(microseconds=1), "seen") == first.bars


def test_before_the_first_commit_nothing_was_seen_and_yet_it_was_true(
    reader: Connection, history: list[Commit]
) -> None:
    #   event time     10:00 ... 12:00 ... 13:00            bars begin at 10:00 (backfilled), ticks at 12:00
    #   commits                                   today
    #   asked                          ^ 12:30
    at = DAY + timedelta(hours=12, minutes=30)
    assert bars_as_of(reader, at, "seen") == []
    true = bars_as_of(reader, at, "event")
    of_minutes = [row for row in true if row[0] == "1m"]
    assert [row[1] for row in of_minutes] == [DAY + timedelta(minutes=m) for m in range(600, 750)]
    now = {(row[0], row[1]): row for row in history[-1].bars}
    assert all(now[row[0], row[1]] == row for row in true), "in the form that is known today"
    assert not [row for row in true if row[0] in ("1d", "1w", "1mo")], "the day had not ended"


def test_event_time_takes_the_last_correction_and_says_since_when_it_is_known(
    store: TimedStore, reader: Connection
) -> None:
    fold = Fold(store)
    fold.step([TickEvent(SYMBOL, minute(0) + 1, 100.0, 10), ClockEvent(minute(1), PARTITION)])
    fold.step([corrected(0, 107.0, 70.0, 1)])
    fold.step([corrected(0, 105.0, 50.0, 2)])
    first, second, third = store.commits
    # The first tick, in the middle of a session, has a day volume and nothing before it to count from: the minute's volume is 0.
    query = """SELECT close, volume, revision, known_since, superseded_at, mode::text, as_of
               FROM v1.bars_as_of(%s, '1m', %s, %s)"""
    at = DAY + timedelta(hours=12, minutes=1)
    assert ask(reader, query, SYMBOL, at, "event") == [(105.0, 50.0, 2, third.began_at, None, "event", at)]
    assert ask(reader, query, SYMBOL, at - timedelta(seconds=1), "event") == [], "the minute had not ended"
    assert [ask(reader, query, SYMBOL, commit.after, "seen") for commit in store.commits] == [
        [(100.0, 0.0, 0, first.began_at, second.began_at, "seen", first.after)],
        [(107.0, 70.0, 1, second.began_at, third.began_at, "seen", second.after)],
        [(105.0, 50.0, 2, third.began_at, None, "seen", third.after)],
    ]


def test_another_mode_is_refused_and_a_time_needs_a_zone(reader: Connection, history: list[Commit]) -> None:
    with pytest.raises(psycopg2.errors.InvalidTextRepresentation, match="as_of_mode"):
        bars_as_of(reader, history[0].after, "believed")
    with reader, reader.cursor() as cursor:
        with pytest.raises(ValueError, match="zone"):
            indicators_as_of(cursor, SYMBOL, "1m", datetime(2026, 1, 1), "seen")  # noqa: DTZ001
        with pytest.raises(LookupError, match="NOBODY"):
            indicators_as_of(cursor, "NOBODY", "1m", history[0].after, "seen")


def test_the_documented_questions_are_answered(reader: Connection, history: list[Commit]) -> None:
    examples = re.search(r"## As of a time.*?```sql\n(.*?)```", DOCUMENT.read_text(), re.DOTALL)
    assert examples is not None
    at = (DAY + timedelta(hours=12, minutes=30)).isoformat()
    asked = examples[1].replace("AAPL", SYMBOL).replace("2026-11-20 15:45+00", at).split(";")[:2]
    assert [len(ask(reader, question.replace("%", "%%"))) for question in asked] == [0, 150], "all was filled in later"


def test_the_answer_walks_the_index_and_stops_where_the_limit_says(reader: Connection, history: list[Commit]) -> None:
    """PostgreSQL inlines the function: it is part of the caller's plan, with the key's index below a limit and no sort."""
    query = "EXPLAIN SELECT ts, close FROM v1.bars_as_of(%s, '1m', %s, 'seen') ORDER BY ts DESC LIMIT 5"
    plan = "\n".join(line for (line,) in ask(reader, query, SYMBOL, history[-1].after))
    assert "Function Scan" not in plan
    assert "_pkey" in plan
    assert "Sort" not in plan
