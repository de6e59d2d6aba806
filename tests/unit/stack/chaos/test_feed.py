"""The seeded market holds everything that a stream is promised to bear."""

from collections import Counter

import pytest

from market.contracts import Action, Bar, Clock, DeadLetter, Record, Tick, decode
from market.errors import Reason, Rejected
from market.topics import DEAD_LETTERS, EVENTS, HISTORY
from stack.chaos.feed import Feed

pytestmark = pytest.mark.unit

START_MS = 1_795_046_400_000  # 2026-11-19, midnight UTC
MINUTES = 60
FEED = Feed(4, START_MS, ("A", "B", "C"))


def read(feed: Feed = FEED) -> tuple[list[tuple[int, Record]], Counter[str]]:
    """(minute in which it was sent, record), and the reasons why others are none."""
    records: list[tuple[int, Record]] = []
    refused: Counter[str] = Counter()
    for number in range(MINUTES):
        for sent in feed.minute(number):
            try:
                records.append((number, decode(sent.value)))
            except Rejected as error:
                refused[error.reason] += 1
    return records, refused


def test_a_feed_is_a_function_of_its_seed() -> None:
    again = Feed(4, START_MS, ("A", "B", "C"))
    other = Feed(5, START_MS, ("A", "B", "C"))
    minutes = [[sent.value for sent in feed.minute(7)] for feed in (FEED, again, other)]
    assert minutes[0] == minutes[1] != minutes[2]


def test_trades_come_late_and_twice_and_out_of_order() -> None:
    trades = [(number, record) for number, record in read()[0] if isinstance(record, Tick) and record.symbol == "A"]
    behind = Counter(number - (tick.event_ms - START_MS) // 60_000 for number, tick in trades)
    assert behind[0] > 10 * sum(count for minutes, count in behind.items() if minutes > 0) / 3
    assert sum(count for minutes, count in behind.items() if minutes > 0) > 3
    assert max(Counter((tick.event_ms, tick.price, tick.day_volume) for _, tick in trades).values()) == 2
    times = [tick.event_ms for _, tick in trades]
    assert times != sorted(times)


def test_the_day_volume_never_falls_with_time() -> None:
    ticks = [record for _, record in read()[0] if isinstance(record, Tick) and record.symbol == "B"]
    volumes = [tick.day_volume for tick in sorted(ticks, key=lambda tick: (tick.event_ms, tick.day_volume))]
    assert volumes == sorted(volumes, key=lambda volume: volume or 0)


def test_the_provider_is_partial_complete_and_corrects_itself() -> None:
    rows = [bar for _, bar in read()[0] if isinstance(bar, Bar) and bar.event_ms >= START_MS]
    assert {bar.is_complete for bar in rows} == {True, False}
    complete: dict[tuple[str, int], set[float]] = {}
    for bar in rows:
        if bar.is_complete:
            complete.setdefault((bar.symbol, bar.event_ms), set()).add(bar.high)
    assert max(map(len, complete.values())) == 2


def test_hours_of_long_ago_are_told_once_and_some_are_corrected_later() -> None:
    hours = [(number, bar) for number, bar in read()[0] if isinstance(bar, Bar) and bar.timeframe == "1h"]
    at_first = {bar.event_ms for number, bar in hours if number == 0}
    later = [(number, bar) for number, bar in hours if number > 0]
    assert len(at_first) == 720, "more than stand in memory"
    assert max(at_first) == START_MS - 25 * 3_600_000, "those of the day before are minutes"
    assert len(later) >= 20
    corrected = {bar.event_ms: bar.fetched_ms for _, bar in later}
    assert corrected.keys() <= set(sorted(at_first)[:200])
    assert all(fetched_ms > START_MS for fetched_ms in corrected.values())
    contents = {(bar.event_ms, bar.close, bar.volume) for _, bar in hours}
    assert len(contents) == len(hours), "each of them changes something"


def test_clocks_go_to_every_partition_and_never_back() -> None:
    sent = [sent for number in range(MINUTES) for sent in FEED.minute(number)]
    clocks = [record.event_ms for one in sent if one.is_clock and isinstance(record := decode(one.value), Clock)]
    assert clocks == sorted(clocks)
    assert len(clocks) == 4 * MINUTES


def test_there_is_rubbish_of_several_kinds_and_each_topic_has_its_own() -> None:
    records, refused = read()
    assert len(refused) >= 4
    assert refused[Reason.NOT_JSON] > 0
    assert any(isinstance(record, Action) for _, record in records)
    hashes = [record.content_hash for _, record in records if isinstance(record, DeadLetter)]
    assert 1 < len(set(hashes)) < len(hashes)
    topics = {sent.topic for number in range(MINUTES) for sent in FEED.minute(number)}
    assert topics == {EVENTS, HISTORY, DEAD_LETTERS}
