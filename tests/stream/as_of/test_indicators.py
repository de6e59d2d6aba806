"""Indicators as of a time: stored where they stood as they do now, computed anew from where they did not."""

from datetime import datetime, timedelta

import pytest
from psycopg2.extensions import connection as Connection

from market.as_of import indicators_as_of
from tests.stream.as_of.commits import DAY, SYMBOL, Commit, minute

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


def changed(before: Commit, after: Commit) -> list[tuple[datetime, bool]]:
    """(start, whether its row differs) of the minutes that both commits knew."""
    new = {row[1]: row for row in after.bars if row[0] == "1m"}
    return [(row[1], new[row[1]] != row) for row in before.bars if row[0] == "1m"]
