"""A dead letter's bytes, read again: what record they stand for, or why there is none."""

import base64
import json
from collections.abc import Callable
from datetime import UTC, date, datetime
from typing import Any

import pytest
from yfinance.pricing_pb2 import PricingData

from ingestion.dead_letters.commands import names_in
from ingestion.dead_letters.editing import with_changes, with_first_receipt
from ingestion.dead_letters.letters import Letter
from ingestion.dead_letters.originals import Known, in_words, record_of
from ingestion.errors import BadConfiguration, NotReplayed
from ingestion.providers.base import Answer, Row
from ingestion.providers.yahoo import decode_frame
from ingestion.records.instruments import Instrument
from ingestion.records.rows import records_of
from ingestion.records.splits import SplitFactors
from market.contracts import Action, Bar, Tick
from market.errors import Reason, Rejected

pytestmark = pytest.mark.unit

At = Callable[[str], int]
FETCHED = datetime(2025, 11, 24, 15, 10, tzinfo=UTC)
FETCHED_MS = int(FETCHED.timestamp() * 1000)
TICK = {"v": 1, "kind": "tick", "source": "yahoo", "symbol": "AAPL", "price": 100.5}


def letter(
    payload: bytes, stage: str = "stream", topic: str = "market.events.v1", edited: bytes | None = None
) -> Letter:
    return Letter(
        7, stage, "bad_price", "", "AAPL", payload, topic, 0, 42, FETCHED, FETCHED, "open", edited, None, 0, None
    )


@pytest.fixture
def known(apple: Instrument) -> Known:
    splits = {date(2020, 8, 31): 4.0, date(2025, 12, 1): 10.0}
    return Known({"AAPL": apple}, lambda _: splits, "yahoo", decode_frame)


def encoded(body: dict[str, Any], at_ms: int) -> bytes:
    return json.dumps({**body, "event_ms": at_ms, "fetched_ms": at_ms + 40}).encode()


def test_what_the_stream_refused_goes_back_to_its_topic_with_its_first_receive_time(known: Known, at: At) -> None:
    ms = at("2025-11-24T15:00")
    wrong = encoded({**TICK, "price": -1.0}, ms)
    with pytest.raises(Rejected) as raised:
        record_of(letter(wrong), known)
    assert raised.value.reason is Reason.BAD_PRICE
    record, to_history = record_of(letter(wrong, edited=encoded(TICK, ms)), known)
    assert record == Tick(source="yahoo", event_ms=ms, fetched_ms=ms + 40, symbol="AAPL", price=100.5)
    assert not to_history
    assert record_of(letter(encoded(TICK, ms), topic="market.history.v1"), known)[1]


def test_a_row_that_ingestion_refused_is_a_bar_as_printed_once_it_is_mended(
    known: Known, apple: Instrument, at: At
) -> None:
    # Fetched after the split of 2020 and before the one that came later: only the first is un-done.
    row = Row(at("2020-08-28T13:30"), date(2020, 8, 28), 125.0, 126.0, 130.0, 125.5, 4000.0)
    answer = Answer(FETCHED_MS, [row])
    [refused] = records_of(answer, apple, "1m", "yahoo", SplitFactors([(date(2020, 8, 31), 4.0)])).dead_letters
    original = base64.b64decode(refused.payload)
    mended = with_changes(original, ["high=127.0", "low=124"])
    record, to_history = record_of(letter(original, "ingestion", "market.dead_letters.v1", mended), known)
    assert isinstance(record, Bar)
    assert (record.open, record.high, record.low, record.close, record.volume) == (500.0, 508.0, 496.0, 502.0, 1000.0)
    assert (record.fetched_ms, record.is_complete, to_history) == (FETCHED_MS, True, True)


FILE_ROW = {
    "symbol": "AAPL",
    "timeframe": "1d",
    "ts": "24.11.2025",
    **dict.fromkeys(("open", "high", "low", "close"), "100"),
    "ts_ms": None,
    "day": None,
    "as_printed": True,
    "file": "bars.csv",
    "row": 2,
}


@pytest.mark.parametrize(
    "before", [{}, {"ts": "2025-11-21", "ts_ms": 1_763_700_000_000, "day": "2025-11-21", "low": "101"}]
)
def test_the_time_of_a_files_row_can_be_mended_as_it_stood_there(known: Known, at: At, before: dict[str, Any]) -> None:
    original = json.dumps({**FILE_ROW, **before}).encode()
    mended = with_changes(original, ["ts=2025-11-24", "low=100"])
    record, _ = record_of(letter(original, "ingestion", "market.dead_letters.v1", mended), known)
    assert isinstance(record, Bar)
    assert (record.event_ms, record.session_date) == (at("2025-11-24T14:30"), "2025-11-24")


@pytest.mark.parametrize(
    ("change", "words"),
    [
        ("ts=yesterday", "time 'yesterday' is neither ISO 8601"),
        ("close=null", "close is empty"),
        ("close=x", "close 'x' is not a number"),
        ("ts=null", "it has no time"),
    ],
)
def test_what_is_still_wrong_with_a_row_is_said_by_its_column(known: Known, change: str, words: str) -> None:
    original = json.dumps({**FILE_ROW, "ts": "never"}).encode()
    mended = with_changes(with_changes(original, ["ts=2025-11-24"]), [change])
    with pytest.raises(Rejected, match=words):
        record_of(letter(original, "ingestion", "market.dead_letters.v1", mended), known)


def test_a_frame_of_the_live_feed_is_a_tick_again(known: Known, at: At) -> None:
    pricing = PricingData(id="AAPL", price=100.25, time=at("2025-11-24T15:00"), market_hours=1)
    frame = json.dumps({"message": base64.b64encode(pricing.SerializeToString()).decode()}).encode()
    record, _ = record_of(letter(frame, "ingestion"), known)
    assert isinstance(record, Tick)
    assert (record.price, record.fetched_ms) == (100.25, FETCHED_MS)


def frame_of(**fields: Any) -> bytes:
    pricing = PricingData(id="AAPL", market_hours=1, **fields)
    return json.dumps({"type": "pricing", "message": base64.b64encode(pricing.SerializeToString()).decode()}).encode()


def test_a_frame_is_edited_by_what_it_says(known: Known, at: At) -> None:
    refused = letter(frame_of(price=5012.5, day_volume=4_000, day_high=101.5, time=at("2025-11-24T15:00")), "ingestion")
    words = in_words(refused, decode_frame)
    assert json.loads(words)["price"] == 5012.5
    edited = with_changes(words, ["price=100.25", "day_high=null"], names_in(words))
    record, to_history = record_of(letter(refused.payload, "ingestion", edited=edited), known)
    expected = Tick(
        source="yahoo",
        event_ms=at("2025-11-24T15:00"),
        fetched_ms=FETCHED_MS,
        symbol="AAPL",
        price=100.25,
        day_volume=4_000,
    )
    assert (record, to_history) == (expected, False)
    with pytest.raises(BadConfiguration, match="prize is nothing that can be set here: symbol, event_ms, price"):
        with_changes(words, ["prize=100.25"], names_in(words))
    with pytest.raises(Rejected, match="price 'x' is not a number"):
        record_of(letter(refused.payload, "ingestion", edited=with_changes(words, ["price=x"])), known)


def test_of_a_frame_that_cannot_be_read_only_the_message_can_be_set(known: Known) -> None:
    refused = letter(b'{"type": "pricing", "message": "no base64!"}', "ingestion")
    words = in_words(refused, decode_frame)
    assert words == refused.payload
    with pytest.raises(BadConfiguration, match="price is nothing that can be set here"):
        with_changes(words, ["price=100.25"], names_in(words))


def test_of_a_row_a_field_that_was_missing_can_be_set() -> None:
    row = b'{"symbol": "AAPL", "open": 1.0}'
    assert names_in(row) is None
    assert json.loads(with_changes(row, ["close=2.0"], names_in(row)))["close"] == 2.0


def test_a_corporate_action_is_read_again(known: Known, at: At) -> None:
    body = {"symbol": "AAPL", "action": "split", "value": 4.0, "event_ms": at("2020-08-31T13:30")}
    record, to_history = record_of(letter(json.dumps(body).encode(), "ingestion"), known)
    assert (type(record), record.fetched_ms, to_history) == (Action, FETCHED_MS, True)


@pytest.mark.parametrize(
    ("payload", "stage", "topic", "words"),
    [
        (b'{"chart": {"result": null}}', "ingestion", "market.dead_letters.v1", "a whole answer of the provider"),
        (b"{}", "stream", "market.dead_letters.v1", "is not replayed"),
        (
            b'{"v":1,"kind":"clock","source":"yahoo","event_ms":1764000000000,"fetched_ms":1764000000001,"since_ms":1763999999999}',
            "stream",
            "market.events.v1",
            "its time has passed",
        ),
    ],
)
def test_what_holds_no_single_record_says_what_to_do_instead(
    known: Known, payload: bytes, stage: str, topic: str, words: str
) -> None:
    with pytest.raises(NotReplayed, match=words):
        record_of(letter(payload, stage, topic), known)


@pytest.mark.parametrize(
    ("change", "reason"),
    [
        ({"symbol": "MSFT"}, Reason.UNKNOWN_SYMBOL),
        ({"source": "simulator"}, Reason.WRONG_SOURCE),
        ({"price": "x"}, Reason.WRONG_TYPE),
    ],
)
def test_what_is_still_wrong_is_found_before_it_is_sent(
    known: Known, at: At, change: dict[str, Any], reason: Reason
) -> None:
    with pytest.raises(Rejected) as raised:
        record_of(letter(encoded({**TICK, **change}, at("2025-11-24T15:00"))), known)
    assert raised.value.reason is reason


def test_an_edit_sets_fields_and_leaves_the_time_of_receipt_alone() -> None:
    original = b'{"price":-1.0,"symbol":"AAPL","fetched_ms":5}'
    edited = with_changes(original, ["price=101.5", "symbol=MSFT", "fetched_ms=9", "volume=null"])
    assert json.loads(edited) == {"price": 101.5, "symbol": "MSFT", "fetched_ms": 9, "volume": None}
    assert json.loads(with_first_receipt(original, edited))["fetched_ms"] == 5
    assert with_first_receipt(b"\xff", edited) == edited
    assert json.loads(with_first_receipt(b'\xff{"fetched_ms": 5,"pri', edited))["fetched_ms"] == 5, "of no JSON, too"
    assert json.loads(with_first_receipt(b"\xff", b'{"price":1.0}', 7)) == {"price": 1.0, "fetched_ms": 7}
    with pytest.raises(BadConfiguration, match="FIELD=VALUE"):
        with_changes(original, ["price"])
    with pytest.raises(NotReplayed, match="--file"):
        with_changes(b"<html>", ["price=1"])
