"""Indicators as of a time: stored where they stood as they do now, computed anew from where they did not."""

from datetime import datetime, timedelta

import pytest
from psycopg2.extensions import connection as Connection

from market import indicators
from market.as_of import indicators_as_of
from tests.stream.as_of.commits import DAY, PARTITION, SYMBOL, Commit, TimedStore, corrected, minute
from tests.unit.market.folds import Fold
from tests.unit.market.worlds import ClockEvent, TickEvent

pytestmark = pytest.mark.stream


def test_indicators_by_event_time_are_the_stored_ones_of_bars_that_had_ended(
    reader: Connection, history: list[Commit]
) -> None:
    at = DAY + timedelta(hours=13)
    stored = {(row[0], row[1]): row[2:] for row in history[-1].indicators}
    with reader, reader.cursor() as cursor:
        told = indicators_as_of(cursor, SYMBOL, "5m", at, "event", count=4)
    assert told.ts_ms.tolist() == [minute(k) for k in (40, 45, 50, 55)]
    assert not told.computed.any()
    for ts_ms, values in zip(told.ts_ms.tolist(), told.values.tolist(), strict=True):
        assert tuple(None if number != number else number for number in values) == stored["5m", ts_ms]


def test_stored_values_are_taken_up_to_the_first_bar_that_changed_later(
    reader: Connection, history: list[Commit]
) -> None:
    """The last commit but one saw everything before the last commit's oldest correction as it stands now."""
    before, last = history[-2:]
    oldest = next(ts for ts, row in sorted(changed(before, last)) if row)
    with reader, reader.cursor() as cursor:
        told = indicators_as_of(cursor, SYMBOL, "1m", before.after, "seen", count=10_000)
        short = indicators_as_of(cursor, SYMBOL, "1m", before.after, "seen", count=7)
    assert told.ts_ms[told.computed].tolist()[0] == int(oldest.timestamp() * 1000)
    assert 0 < told.computed.sum() < len(told.computed)
    assert short.ts_ms.tolist() == told.ts_ms[-7:].tolist()
    assert short.values.tobytes() == told.values[-7:].tobytes()


def test_seen_leaves_out_a_bar_that_still_formed_before_a_closed_one(store: TimedStore, reader: Connection) -> None:
    """The one thing that `seen` cannot say (docs/database.md): what had a forming bar in it, whose prices nobody kept."""
    #   minute 0 (ticks, no clock yet) | 1 (the provider's complete row)        the clock passes 0
    fold, places = Fold(store), [number for number, name in enumerate(indicators.VALUES) if name == "change"]
    fold.step([TickEvent(SYMBOL, minute(0), 90.0), corrected(1, 100.5, 5.0, 0)])
    fold.step([ClockEvent(minute(2), PARTITION)])
    early, late = store.commits
    with reader, reader.cursor() as cursor:
        told = [indicators_as_of(cursor, SYMBOL, "1m", commit.after, "seen") for commit in (early, late)]
    kept = [{row[1]: row[2 + places[0]] for row in commit.indicators if row[0] == "1m"} for commit in (early, late)]
    assert kept == [{minute(1): 10.5}, {minute(0): None, minute(1): 10.5}]
    assert [one.ts_ms.tolist() for one in told] == [[minute(1)], [minute(0), minute(1)]]
    assert str([one.value("change").tolist() for one in told]) == "[[nan], [nan, 10.5]]"


def test_values_that_wait_to_be_computed_again_say_so_or_are_computed(
    store: TimedStore, reader: Connection, history: list[Commit]
) -> None:
    with store.connection, store.connection.cursor() as cursor:
        cursor.execute(
            "INSERT INTO core.recomputations VALUES (%s, '5m', to_timestamp(%s), to_timestamp(%s))",
            (SYMBOL, minute(50) / 1000, minute(50) / 1000),
        )
    at = history[-1].after
    with reader, reader.cursor() as cursor:
        event = indicators_as_of(cursor, SYMBOL, "5m", at, "event", count=10_000)
        seen = indicators_as_of(cursor, SYMBOL, "5m", at, "seen", count=10_000)
    assert event.recomputing.tolist() == [ts >= minute(50) for ts in event.ts_ms.tolist()]
    assert not event.computed.any()
    assert not seen.recomputing.any()
    assert seen.computed.tolist() == event.recomputing.tolist()
    assert 2 < event.recomputing.sum() < len(event.recomputing)


def changed(before: Commit, after: Commit) -> list[tuple[datetime, bool]]:
    """(start, whether its row differs) of the minutes that both commits knew."""
    new = {row[1]: row for row in after.bars if row[0] == "1m"}
    return [(row[1], new[row[1]] != row) for row in before.bars if row[0] == "1m"]
