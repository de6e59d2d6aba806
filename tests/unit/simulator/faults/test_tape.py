"""What the feed says under each of its faults. The frames of a minute are a pure function, so nothing has to run."""

import base64
import json
from typing import Any

import numpy as np
import pytest

from simulator.wire import PricingData
from tests.unit.simulator.conftest import ms
from tests.unit.simulator.faults.conftest import NOON_MS, Exchange

BEFORE_MS = NOON_MS - 60_000
Told = list[tuple[int, Any]]


def told(exchange: Exchange, minute_ms: int = NOON_MS) -> Told:
    """The minute's updates with when they are published."""
    return [
        (due_ms, PricingData.FromString(base64.b64decode(json.loads(frame)["message"])))
        for due_ms, frame in exchange.frames_of("NVDA", minute_ms)
    ]


def key(tick: Any) -> bytes:
    return tick.SerializeToString()


def test_what_is_over_or_about_others_changes_nothing(exchange: Exchange):
    before = exchange.frames_of("NVDA", NOON_MS)
    exchange.goes_wrong("feed_silence", at="2026-03-11T11:00:00-04:00", for_="30m")
    exchange.goes_wrong("feed_garbage", symbols=["AAPL"])
    assert exchange.frames_of("NVDA", NOON_MS) == before


def test_ticks_come_twice(exchange: Exchange):
    once = told(exchange)
    exchange.goes_wrong("duplicate_ticks", copies=2, after="1s")
    thrice = told(exchange)
    assert len(thrice) == 3 * len(once)
    assert {key(tick) for _, tick in thrice} == {key(tick) for _, tick in once}
    assert [due for due, _ in thrice] == sorted(due for due, _ in thrice)


def test_ticks_come_out_of_order_and_none_is_lost(exchange: Exchange):
    in_order = told(exchange)
    exchange.goes_wrong("out_of_order_ticks", share=0.3, by="2s")
    mixed = told(exchange)
    assert sorted(key(tick) for _, tick in mixed) == sorted(key(tick) for _, tick in in_order)
    steps = np.diff([tick.time for _, tick in mixed])
    assert (steps < 0).sum() > 5
    assert steps.min() >= -2_100


def test_the_day_volume_begins_anew_and_comes_back(exchange: Exchange):
    before, minute = told(exchange, BEFORE_MS), told(exchange)
    exchange.goes_wrong("volume_reset", at="2026-03-11T12:00:00-04:00", for_="20s")
    assert told(exchange, BEFORE_MS) == before
    reset = told(exchange)
    for (due_ms, tick), (_, whole) in zip(reset, minute, strict=True):
        assert (tick.day_volume < whole.day_volume) == (due_ms < NOON_MS + 20_000)
    # What the minute's first trades have made is all that is counted.
    assert 0 < reset[0][1].day_volume <= minute[0][1].day_volume - before[-1][1].day_volume


@pytest.mark.parametrize(
    ("value", "is_bad"), [("negative", lambda p: p < 0), ("zero", lambda p: p == 0), ("nan", np.isnan)]
)
def test_some_prices_of_a_feed_are_what_no_price_can_be(exchange: Exchange, value: str, is_bad: Any):
    exchange.goes_wrong("bad_prices", value=value, share=0.5)
    bad = [is_bad(tick.price) for _, tick in told(exchange)]
    assert 0.2 < np.mean(bad) < 0.8


def test_a_silent_feed_speaks_again_afterwards(exchange: Exchange):
    minute = exchange.frames_of("NVDA", NOON_MS)
    exchange.goes_wrong("feed_silence", at="+10s", for_="30s")
    silent = exchange.frames_of("NVDA", NOON_MS)
    assert silent == [each for each in minute if not NOON_MS + 10_000 <= each[0] < NOON_MS + 40_000]
    assert 0 < len(silent) < len(minute)


def test_garbage_stands_between_the_frames(exchange: Exchange):
    minute = exchange.frames_of("NVDA", NOON_MS)
    exchange.goes_wrong("feed_garbage", share=0.5)
    disturbed = exchange.frames_of("NVDA", NOON_MS)
    kept = [each for each in disturbed if each in minute]
    assert kept == minute
    assert len(disturbed) - len(minute) > 0.3 * len(minute)
    assert any(isinstance(frame, bytes) for _, frame in disturbed)


def test_garbage_may_take_the_place_of_frames(exchange: Exchange):
    minute = exchange.frames_of("NVDA", NOON_MS)
    exchange.goes_wrong("feed_garbage", share=1.0, replaces=True)
    disturbed = exchange.frames_of("NVDA", NOON_MS)
    assert len(disturbed) == len(minute)
    assert not set(disturbed) & set(minute)


def test_a_skewed_clock_stamps_ticks_and_delays_nothing(exchange: Exchange):
    straight = told(exchange)
    exchange.goes_wrong("clock_skew", skew_s=2.5)
    skewed = told(exchange)
    assert [due for due, _ in skewed] == [due for due, _ in straight]
    assert {after.time - before.time for (_, before), (_, after) in zip(straight, skewed, strict=True)} == {2_500}


def test_an_auction_is_printed_after_the_bell_and_is_the_days_close(exchange: Exchange):
    exchange.goes_wrong("auction_print", volume_share=0.1)
    bell_ms = ms("2026-03-11T16:00:00-04:00")
    instrument = exchange.market.instrument("NVDA", bell_ms)
    row = instrument.row_at(bell_ms)
    last_before = told(exchange, bell_ms - 60_000)[-1][1]
    auction = next(tick for due, tick in told(exchange, bell_ms) if tick.market_hours == 1)
    assert auction.time == bell_ms + 1_500
    assert auction.price == np.float32(instrument.bar(row).close / 100)
    traded = int(instrument.minutes(row).volume.sum())
    assert auction.last_size == round(traded * 0.1)
    assert auction.day_volume == traded + auction.last_size >= last_before.day_volume
    later = [tick for _, tick in told(exchange, bell_ms) if tick.market_hours == 2]
    assert later
    assert min(tick.day_volume for tick in later) > auction.day_volume
