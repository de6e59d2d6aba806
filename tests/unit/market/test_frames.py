"""How bars nest: in sessions, in weeks, in months, and in a year. Expected times are the exchanges' own, written out in UTC."""

from datetime import UTC, date, datetime
from itertools import pairwise

import pytest

from market.calendars import session_on
from market.frames import CHILD, PARENTS, ancestors, annual_bars, bucket, from_days, to_days
from market.timeframes import INTRADAY, MINUTE_MS, TIMEFRAMES, bucket_start_ms
from market.topics import DEAD_LETTERS, EVENTS, HISTORY, TOPICS, prefix_for

pytestmark = pytest.mark.unit


def ms(text: str) -> int:
    return int(datetime.fromisoformat(text).replace(tzinfo=UTC).timestamp() * 1000)


BUCKETS = [
    #  calendar, frame, time,               bar's start,         bar's end,           first session
    ("XNYS", "5m", "2026-11-02T14:34:59", "2026-11-02T14:30", "2026-11-02T14:35", "2026-11-02"),
    ("XNYS", "5m", "2026-11-02T14:35:00", "2026-11-02T14:35", "2026-11-02T14:40", "2026-11-02"),
    ("XNYS", "1h", "2026-11-02T15:29:00", "2026-11-02T14:30", "2026-11-02T15:30", "2026-11-02"),  # hours count from the open
    ("XNYS", "1h", "2026-11-02T20:59:00", "2026-11-02T20:30", "2026-11-02T21:00", "2026-11-02"),  # and the last one is half
    ("XNYS", "15m", "2026-11-27T17:50:00", "2026-11-27T17:45", "2026-11-27T18:00", "2026-11-27"),  # the day after Thanksgiving
    ("XNYS", "1h", "2026-11-27T17:50:00", "2026-11-27T17:30", "2026-11-27T18:00", "2026-11-27"),
    ("XNYS", "1d", "2026-11-27T17:50:00", "2026-11-27T14:30", "2026-11-27T18:00", "2026-11-27"),
    ("XNYS", "1w", "2026-11-25T15:00:00", "2026-11-23T14:30", "2026-11-27T18:00", "2026-11-23"),
    ("XNYS", "1w", "2026-09-10T15:00:00", "2026-09-08T13:30", "2026-09-11T20:00", "2026-09-08"),  # Labor Day was its Monday
    ("XNYS", "1mo", "2026-11-25T15:00:00", "2026-11-02T14:30", "2026-11-30T21:00", "2026-11-02"),
    ("XNYS", "1mo", "2026-12-31T15:00:00", "2026-12-01T14:30", "2026-12-31T21:00", "2026-12-01"),
    ("XTKS", "30m", "2026-11-02T03:45:00", "2026-11-02T03:30", "2026-11-02T04:00", "2026-11-02"),  # after Tokyo's break
    ("24/7", "1h", "2026-11-02T00:00:00", "2026-11-02T00:00", "2026-11-02T01:00", "2026-11-02"),
    ("24/7", "1d", "2026-11-01T23:59:59", "2026-11-01T00:00", "2026-11-02T00:00", "2026-11-01"),
    ("24/7", "1w", "2026-11-01T23:59:59", "2026-10-26T00:00", "2026-11-02T00:00", "2026-10-26"),  # an ISO week ends on Sunday
    ("24/7", "1mo", "2026-02-28T12:00:00", "2026-02-01T00:00", "2026-03-01T00:00", "2026-02-01"),
    ("24/5", "1w", "2026-11-04T12:00:00", "2026-11-02T00:00", "2026-11-07T00:00", "2026-11-02"),
]  # fmt: skip


@pytest.mark.parametrize(("calendar", "timeframe", "at", "start", "end", "first"), BUCKETS)
def test_the_bar_that_holds_a_time(calendar: str, timeframe: str, at: str, start: str, end: str, first: str) -> None:
    session = session_on(calendar, date.fromisoformat(at[:10]))
    found_start, found_end, found_first = bucket(timeframe, ms(at), session, calendar)
    assert (found_start, found_end) == (ms(start), ms(end))
    assert found_first.session_date == date.fromisoformat(first)


def test_the_frames_of_a_session_fill_it_without_a_gap() -> None:
    session = session_on("XNYS", date(2026, 11, 27))
    for frame in INTRADAY:
        spans = [
            bucket(frame.name, ts, session, "XNYS")[:2] for ts in range(session.open_ms, session.close_ms, MINUTE_MS)
        ]
        ordered = sorted(set(spans))
        assert ordered[0][0] == session.open_ms
        assert ordered[-1][1] == session.close_ms
        assert all(a[1] == b[0] for a, b in pairwise(ordered))


def test_every_frame_but_the_minute_is_rolled_up_from_a_smaller_one() -> None:
    assert set(CHILD) == set(TIMEFRAMES) - {"1m"}
    assert list(ancestors("1m")) == ["5m", "15m", "30m", "1h", "1d", "1w", "1mo"]
    assert list(ancestors("1d")) == ["1w", "1mo"]
    assert list(ancestors("1mo")) == []
    for child, parents in PARENTS.items():
        for parent in parents:
            if TIMEFRAMES[parent].is_intraday:
                assert TIMEFRAMES[parent].minutes % TIMEFRAMES[child].minutes == 0, "a child never lies in two parents"


@pytest.mark.parametrize(
    ("calendar", "timeframe", "expected"),
    [
        ("XNYS", "1d", 252),
        ("XNYS", "1m", 252 * 390),
        ("XNYS", "1h", 252 * 6.5),
        ("XNYS", "1w", 52),
        ("XNYS", "1mo", 12),
        ("XTKS", "1m", 252 * 330),  # 9:00 to 11:30 and 12:30 to 15:30, as since 5 November 2024
        ("24/7", "1d", 365),
        ("24/7", "5m", 365 * 288),
        ("24/5", "1d", 260),
    ],
)
def test_a_year_has_as_many_bars_as_its_calendar_has_hours(calendar: str, timeframe: str, expected: float) -> None:
    assert annual_bars(calendar, timeframe) == expected


@pytest.mark.parametrize(
    ("day", "count"), [(date(1970, 1, 1), 0), (date(2026, 11, 2), 20_759), (date(1962, 1, 2), -2_921)]
)
def test_session_dates_are_days_since_the_epoch(day: date, count: int) -> None:
    assert to_days(day) == count
    assert from_days(count) == day


@pytest.mark.parametrize(("offset_ms", "start"), [(0, 0), (299_999, 0), (300_000, 300_000), (-1, -300_000)])
def test_whole_frames_are_counted_from_the_open(offset_ms: int, start: int) -> None:
    opened = ms("2026-11-02T14:30")
    assert bucket_start_ms(opened + offset_ms, TIMEFRAMES["5m"], opened) == opened + start


def test_frames_are_named_as_readers_know_them() -> None:
    assert list(TIMEFRAMES) == ["1m", "5m", "15m", "30m", "1h", "1d", "1w", "1mo"]
    assert [frame.minutes for frame in INTRADAY] == [1, 5, 15, 30, 60]


def test_topics_are_versioned_in_their_names_and_prefixed_by_all_but_the_real_source() -> None:
    assert [topic.name for topic in TOPICS] == ["market.events.v1", "market.history.v1", "market.dead_letters.v1"]
    assert EVENTS.full_name(prefix_for("yahoo")) == "market.events.v1"
    assert HISTORY.full_name(prefix_for("simulator")) == "simulator.market.history.v1"
    assert DEAD_LETTERS.retention_ms > EVENTS.retention_ms, "what went wrong is kept for longer"
