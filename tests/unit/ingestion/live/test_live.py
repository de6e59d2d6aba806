"""What the live service does with frames, with the clock and with an outage; Kafka is a list here."""

import asyncio
import base64
import json
from collections.abc import Callable
from types import SimpleNamespace
from typing import Any

import pytest
from yfinance.pricing_pb2 import PricingData

from ingestion.live import work as live_module
from ingestion.live.feed import Link
from ingestion.live.holes import Hole, touches_trading
from ingestion.live.work import GRACE_MS, LiveStream
from ingestion.providers.yahoo import decode_frame
from ingestion.records.instruments import Instrument
from market.contracts import Clock, DeadLetter, Record, Tick, decode

pytestmark = pytest.mark.unit

At = Callable[[str], int]


class Kafka:
    """Takes records, as long as there is room."""

    def __init__(self) -> None:
        self.records: list[Record] = []
        self.clocks: list[Clock] = []
        self.room = 1_000_000
        self.served = 0

    def send(self, record: Record) -> bool:
        if len(self.records) >= self.room:
            return False
        self.records.append(record)
        return True

    def send_clock(self, clock: Clock) -> bool:
        self.clocks.append(clock)
        return True

    def serve(self) -> int:
        self.served += 1
        self.room += 1
        return 0


@pytest.fixture
def kafka() -> Kafka:
    return Kafka()


@pytest.fixture
def stream(kafka: Kafka, apple: Instrument, at: At) -> LiveStream:
    provider: Any = SimpleNamespace(decode=decode_frame)
    stream = LiveStream(provider, kafka, "yahoo", lambda: at("2025-11-24T15:00:01"))  # type: ignore[arg-type]
    stream.instruments = {"AAPL": apple}
    return stream


def frame(**fields: Any) -> str:
    return json.dumps({"message": base64.b64encode(PricingData(**fields).SerializeToString()).decode()})


def receive(stream: LiveStream, *frames: str | bytes, at_ms: int = 0) -> None:
    async def run() -> None:
        for each in frames:
            await stream.on_frame(each, at_ms)

    asyncio.run(run())


def test_ticks_go_out_in_order_and_a_repeat_goes_once(stream: LiveStream, kafka: Kafka, at: At) -> None:
    now = at("2025-11-24T15:00")
    first = frame(id="AAPL", price=100.0, time=now, market_hours=1, day_volume=10)
    second = frame(id="AAPL", price=100.5, time=now, market_hours=1, day_volume=12)
    receive(stream, first, first, second, at_ms=now + 30)
    assert [(record.price, record.day_volume) for record in kafka.records if isinstance(record, Tick)] == [
        (100.0, 10),
        (100.5, 12),
    ]


def test_what_cannot_be_read_is_a_dead_letter_with_its_bytes(stream: LiveStream, kafka: Kafka, at: At) -> None:
    now = at("2025-11-24T15:00")
    receive(stream, b"\xff\xfegarbage", frame(id="AAPL", price=-1.0, time=now), at_ms=now)
    garbage, impossible = kafka.records
    assert isinstance(garbage, DeadLetter)
    assert isinstance(impossible, DeadLetter)
    assert base64.b64decode(garbage.payload) == b"\xff\xfegarbage"
    assert (garbage.reason, impossible.reason, impossible.symbol) == ("not_json", "bad_price", "AAPL")


@pytest.mark.parametrize("when_ms", [1_764_000_000_000_000_000, 1_764_000_000_000_000, -(2**62), 4_000_000_000_000])
def test_a_frame_of_no_possible_time_is_a_dead_letter_that_the_stream_takes(
    stream: LiveStream, kafka: Kafka, at: At, when_ms: int
) -> None:
    now = at("2025-11-24T15:00")
    receive(stream, frame(id="AAPL", price=100.0, time=when_ms, market_hours=1, day_volume=10), at_ms=now)
    [letter] = kafka.records
    assert isinstance(letter, DeadLetter)
    assert decode(letter.encode()) == letter


def test_symbols_that_are_not_tracked_and_control_messages_are_dropped(
    stream: LiveStream, kafka: Kafka, at: At
) -> None:
    receive(stream, frame(id="MSFT", price=1.0, time=at("2025-11-24T15:00")), '{"type": "heartbeat"}')
    assert kafka.records == []


def test_a_full_queue_is_waited_for(stream: LiveStream, kafka: Kafka, at: At, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(live_module, "FULL_QUEUE_PAUSE_S", 0.0)
    kafka.room = 1
    now = at("2025-11-24T15:00")
    receive(stream, *(frame(id="AAPL", price=100.0, time=now + number) for number in range(5)), at_ms=now)
    assert len(kafka.records) == 5
    assert kafka.served == 4


def test_an_outage_is_a_hole_from_the_last_proof_to_the_next_connection(stream: LiveStream) -> None:
    # connected .... proven at 60 s, lost ... two attempts that fail ... connected at 90 s
    stream.on_lost("aborted", "", 60_000)
    stream.on_lost("unreachable", "", 0)
    stream.on_lost("unreachable", "", 0)
    stream.on_connected(90_000)
    assert stream.new_holes == [Hole(60_000 - GRACE_MS, 90_000)]
    stream.on_connected(95_000)
    assert len(stream.new_holes) == 1


def test_the_first_connection_leaves_no_hole(stream: LiveStream) -> None:
    stream.on_connected(90_000)
    assert stream.new_holes == []


def beats(stream: LiveStream, links: list[Link | None], monkeypatch: pytest.MonkeyPatch, late: bool = False) -> None:
    """One look of the clock's beat for each link; the service is late for all of them if `late`."""
    feed: Any = SimpleNamespace(link=None)
    monotonic = iter(range(1_000_000))

    async def sleep(_seconds: float) -> None:
        if not links:
            raise asyncio.CancelledError
        feed.link = links.pop(0)

    times = SimpleNamespace(time=lambda: 0.0, monotonic=lambda: next(monotonic) * (5.0 if late else 0.0))
    monkeypatch.setattr(live_module, "time", times)
    monkeypatch.setattr(live_module, "asyncio", SimpleNamespace(sleep=sleep))
    with pytest.raises(asyncio.CancelledError):
        asyncio.run(stream.beat(feed))


def link(proven_ms: int, since_ms: int = 1_000, frames: int = 0, is_waiting: bool = True) -> Link:
    return Link(since_ms, proven_ms, proven_ms, frames, is_waiting)


def test_the_clock_says_how_far_the_feed_is_proven_less_the_grace(
    stream: LiveStream, kafka: Kafka, monkeypatch: pytest.MonkeyPatch
) -> None:
    beats(stream, [link(10_000), link(11_000)], monkeypatch)
    assert [(clock.event_ms, clock.since_ms) for clock in kafka.clocks] == [(9_000, 1_000), (10_000, 1_000)]


@pytest.mark.parametrize(
    ("links", "why"),
    [
        ([None, None], "no connection"),
        ([link(10_000, is_waiting=False)], "a frame is being handed on"),
        ([link(1_500)], "complete for less than the grace"),
    ],
)
def test_without_proof_there_is_no_clock(
    stream: LiveStream, kafka: Kafka, monkeypatch: pytest.MonkeyPatch, links: list[Link | None], why: str
) -> None:
    beats(stream, links, monkeypatch)
    assert kafka.clocks == [], why


def test_the_clock_never_stands_still_or_goes_back(
    stream: LiveStream, kafka: Kafka, monkeypatch: pytest.MonkeyPatch
) -> None:
    beats(stream, [link(10_000), link(10_000), link(9_000), link(12_000)], monkeypatch)
    assert [clock.event_ms for clock in kafka.clocks] == [9_000, 11_000]


def test_the_clock_is_told_once_for_each_second_and_as_soon_as_it_is_reached(
    stream: LiveStream, kafka: Kafka, monkeypatch: pytest.MonkeyPatch
) -> None:
    beats(stream, [link(ms) for ms in (10_200, 10_450, 10_990, 11_010, 11_260, 12_000)], monkeypatch)
    assert [clock.event_ms for clock in kafka.clocks] == [9_200, 10_010, 11_000]


def test_a_process_that_stood_still_knows_nothing(
    stream: LiveStream, kafka: Kafka, monkeypatch: pytest.MonkeyPatch
) -> None:
    beats(stream, [link(10_000)], monkeypatch, late=True)
    assert kafka.clocks == []


def test_in_a_busy_feed_the_newest_trade_says_how_far_it_has_come(
    stream: LiveStream, kafka: Kafka, monkeypatch: pytest.MonkeyPatch
) -> None:
    stream.newest_event_ms = 7_000
    beats(stream, [link(10_000, frames=5_000), link(11_000, frames=5_001)], monkeypatch)
    assert [clock.event_ms for clock in kafka.clocks] == [7_000, 10_000]


@pytest.mark.parametrize(
    ("start", "end", "matters"),
    [
        ("2025-11-24T15:00:10", "2025-11-24T15:00:12", True),
        ("2025-11-24T21:00:10", "2025-11-24T23:00", False),
        ("2025-11-22T10:00", "2025-11-23T10:00", False),  # a weekend
        ("2025-11-24T14:29:50", "2025-11-24T14:30:01", True),
        ("2025-11-21T22:00", "2025-11-25T08:00", True),  # a whole session in between
    ],
)
def test_a_hole_matters_where_an_exchange_was_open(at: At, start: str, end: str, matters: bool) -> None:
    assert touches_trading(Hole(at(start), at(end)), ["XNYS"]) is matters


def test_a_hole_is_healed_once_its_last_minute_has_settled(at: At) -> None:
    #  15:00:50 ---- hole ---- 15:02:10
    #  minutes 15:00, 15:01, 15:02, the last of which ends at 15:03 and is settled half a minute later
    hole = Hole(at("2025-11-24T15:00:50"), at("2025-11-24T15:02:10"))
    assert [hole.holds(at(f"2025-11-24T{minute}")) for minute in ("14:59", "15:00", "15:02", "15:03")] == [
        False,
        True,
        True,
        False,
    ]
    assert hole.settled_ms > at("2025-11-24T15:03:30")
