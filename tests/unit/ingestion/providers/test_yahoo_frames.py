"""Frames of Yahoo's streamer, decoded."""

import base64
import json
from typing import Any

import pytest
from yfinance.pricing_pb2 import PricingData

from ingestion.providers.base import MalformedFrame
from ingestion.providers.yahoo import decode_frame

pytestmark = pytest.mark.unit


def frame(**fields: Any) -> str:
    message = PricingData(**fields).SerializeToString()
    return json.dumps({"type": "pricing", "message": base64.b64encode(message).decode()})


def test_a_frame_is_decoded_field_by_field() -> None:
    quote = decode_frame(
        frame(
            id="AAPL", price=207.82, time=1745956800123, market_hours=1, day_volume=54_321, day_high=208.5, change=1.25
        )
    )
    assert quote is not None
    assert (quote.symbol, quote.event_ms, quote.day_volume, quote.is_regular) == ("AAPL", 1745956800123, 54_321, True)
    assert quote.price == pytest.approx(207.82, abs=1e-4)
    assert quote.previous_close == pytest.approx(206.57, abs=1e-4)


def test_a_frame_as_it_stands_in_protobufs_own_encoding() -> None:
    # id (1) "A", price (2) float32 1.5, time (3) zigzag of 1000, market_hours (7) 2: written by hand.
    wire = bytes([0x0A, 1, 0x41, 0x15, 0, 0, 0xC0, 0x3F, 0x18, 0xD0, 0x0F, 0x38, 2])
    quote = decode_frame(json.dumps({"message": base64.b64encode(wire).decode()}))
    assert quote is not None
    assert (quote.symbol, quote.price, quote.event_ms, quote.is_regular) == ("A", 1.5, 1000, False)


def test_after_the_close_a_change_is_not_from_the_previous_close() -> None:
    quote = decode_frame(frame(id="AAPL", price=207.82, time=1, market_hours=2, change=0.5))
    assert quote is not None
    assert quote.previous_close == 0.0


def test_a_control_message_has_no_quote() -> None:
    assert decode_frame('{"type": "heartbeat"}') is None


@pytest.mark.parametrize(
    "garbage",
    [
        "",
        "hello",
        "[]",
        "42",
        b"\xff\xfe",
        '{"message": 5}',
        '{"message": "***"}',
        '{"message": "AAAA"}',
        '{"message": ""}',
        frame(price=1.0, time=5),
        frame(id="AAPL", price=1.0),
        "[" * 100_000,
    ],
)
def test_garbage_is_malformed_and_nothing_else_escapes(garbage: str | bytes) -> None:
    with pytest.raises(MalformedFrame):
        decode_frame(garbage)
