"""The exchange's time in windows."""

from datetime import datetime

import pytest

from market.timeline import BadTimeline, Timeline

TEXT = """60 2026-01-05T10:00:00Z>2024-03-28T11:50:00+00:00 2026-01-05T10:00:15Z>2024-04-02T08:58:00+02:00"""


def ms(text: str) -> int:
    return int(datetime.fromisoformat(text).timestamp() * 1000)


@pytest.mark.parametrize(
    ("machine", "exchange"),
    [
        ("2026-01-05T09:00:00Z", "2024-03-28T11:50:00Z"),  # it waits for its first window
        ("2026-01-05T10:00:00Z", "2024-03-28T11:50:00Z"),
        ("2026-01-05T10:00:10Z", "2024-03-28T12:00:00Z"),
        ("2026-01-05T10:00:14.999Z", "2024-03-28T12:04:59.940Z"),
        ("2026-01-05T10:00:15Z", "2024-04-02T06:58:00Z"),
        ("2026-01-05T10:01:15Z", "2024-04-02T07:58:00Z"),  # the last one has no end
    ],
)
def test_the_windows_follow_each_other_at_the_given_speed(machine: str, exchange: str):
    assert Timeline.parse(TEXT).at(ms(machine)) == ms(exchange)


def test_a_timeline_is_read_as_it_was_written():
    timeline = Timeline.parse(TEXT)
    assert Timeline.parse(timeline.written()) == timeline


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("", "is not a speed"),
        ("fast 1>2", "is not a speed"),
        ("60", "a timeline has a window"),
        ("0 1>2", "a speed"),
        ("1000 1>2", "at most 100"),
        ("60 2026-01-05T10:00:00Z", "is not MACHINE>EXCHANGE"),
        ("60 2026-01-05T10:00:00>5", "has no offset"),
        ("60 yesterday>5", "is not an ISO time"),
        ("60 1000>5000 1000>6000000", "goes back"),
        ("60 1000>5000 2000>6000", "goes back"),  # by then it is 65 s
    ],
)
def test_what_is_no_timeline_is_said(text: str, said: str):
    with pytest.raises(BadTimeline, match=said):
        Timeline.parse(text)
