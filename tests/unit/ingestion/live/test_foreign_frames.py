"""The decoder of the feed on what the simulated exchange did not make: frames of Yahoo itself, as others recorded them.

Of each sample, the comment says who published it; the figures beside it are theirs, not our decoder's. What nobody recorded is
written here byte by byte after Google's description of protobuf's encoding, by an encoder that shares nothing with protobuf's own.
"""

import base64
import json
import struct
from collections.abc import Callable

import pytest

from ingestion.providers.base import MalformedFrame, Quote
from ingestion.providers.yahoo import decode_frame

pytestmark = pytest.mark.unit

At = Callable[[str], int]

# ranaroussi/yfinance, tests/test_live.py: the frame and all of its fields, 2025-01-10.
BITCOIN = (
    "CgdCVEMtVVNEFYoMuUcYwLCVgIplIgNVU0QqA0NDQzApOAFFPWrEP0iAgOrxvANVx/25R12csrRHZYD8skR9/7i0R7ABgIDq8bwD2AEE4AGAgOrx"
    "vAPoAYCA6vG8A/IBA0JUQ4ECAAAAwPrjckGJAgAA2P5ZT3tC"
)
# A captured frame in the tests of a dashboard (yahooStream.test.js), with its fields, 2026-08-05. Its decoder, as that of the next
# two, takes the volume and the price hint for plain integers and so for twice what they are: the fields are zigzag. Yahoo's own
# total of Apple for 2020-05-18 was 33.8 million shares, which 35.1 million at noon cannot be, and its price hint is 2, not 4.
APPLE_2026 = "CgRBQVBMFZqZmUMY8PTPovpnKgNOTVMwCDgBRc9iNL9I9PGVBWUAhQvAsAFi2AEE"
# Two frames five seconds apart in the tests of la_proj's decoder, with their fields, 2020-05-18.
APPLE_2020 = "CgRBQVBMFexhnUMYkI6yi8VcKgNOTVMwCDgBRW68EkBItJzfEGXAwuFA2AEE"
APPLE_2020_NEXT = "CgRBQVBMFR9lnUMYoNyyi8VcKgNOTVMwCDgBRYJBE0BI5J7fEGWAj+JA2AEE"
# Captured on 2026-08-13 and checked there against the quotes of the same second (a page's protobuf.test.ts).
EURO = "CghFVVJVU0Q9WBVanpM/GJDhibD/ZyoDQ0NZMA44AUV3Mb49ZQBAjDrYAQg="
YEN = "CgVKUFk9WBXhWh9DGODwibD/ZyoDQ0NZMA44AUWSEgO9ZQDwUL3YAQg="
# A known message in the tests of several Rust clients: Tesla after the close, 2025.
TESLA_AFTER_HOURS = "CgRUU0xBFYG9y0MYgM6B7JtnKgNOTVMwCDgCRbV+qr1lANStvtgBBA=="


def enveloped(message: str) -> str:
    """As the second version of the streamer sends it."""
    return json.dumps({"type": "pricing", "message": message})


def read(message: str) -> Quote:
    quote = decode_frame(enveloped(message))
    assert quote is not None
    return quote


def test_bitcoin_as_yahoo_sent_it():
    quote = read(BITCOIN)
    assert (quote.symbol, quote.event_ms, quote.day_volume) == ("BTC-USD", 1736509140000, 59_712_028_672)
    assert quote.is_regular
    assert quote.price == pytest.approx(94745.08, abs=0.01)
    assert (quote.day_high, quote.day_low) == (pytest.approx(95227.555), pytest.approx(92517.22))
    assert quote.previous_close == pytest.approx(94745.08 - 1431.8906, abs=0.02)


@pytest.mark.parametrize(
    ("message", "event_ms", "price", "twice_the_volume", "change"),
    [
        (APPLE_2026, 1_785_937_395_000, 307.20001220703125, 10_844_404, -2.17999267578125),
        (APPLE_2020, 1_589_820_933_000, 314.7650146484375, 35_114_548, 7.055023193359375),
        (APPLE_2020_NEXT, 1_589_820_938_000, 314.7900085449219, 35_114_852, 7.08001708984375),
    ],
)
def test_apple_in_two_different_years(message: str, event_ms: int, price: float, twice_the_volume: int, change: float):
    quote = read(message)
    assert (quote.symbol, quote.event_ms, quote.price) == ("AAPL", event_ms, price)
    assert quote.day_volume == twice_the_volume / 2
    assert quote.is_regular
    assert quote.previous_close == pytest.approx(price - change)
    # Zero stands for "not given": stocks' frames have no high and no low.
    assert (quote.day_high, quote.day_low) == (0.0, 0.0)


@pytest.mark.parametrize(
    ("message", "symbol", "price", "at_text"),
    [
        (EURO, "EURUSD=X", 1.15327, "2026-08-13T12:03:09"),
        (YEN, "JPY=X", 159.355, "2026-08-13T12:03:10"),
    ],
)
def test_currencies_have_no_volume(message: str, symbol: str, price: float, at_text: str, at: At):
    quote = read(message)
    assert (quote.symbol, quote.day_volume) == (symbol, 0)
    assert quote.price == pytest.approx(price, abs=1e-4 * price)
    assert abs(quote.event_ms - at(at_text)) < 2_000


def test_a_tick_after_the_close_is_not_of_the_regular_session():
    quote = read(TESLA_AFTER_HOURS)
    assert (quote.symbol, quote.is_regular, quote.previous_close) == ("TSLA", False, 0.0)
    assert 400 < quote.price < 420


def test_the_streamers_first_version_is_refused_and_not_misread():
    """It sent the base64 text without JSON around it."""
    with pytest.raises(MalformedFrame):
        decode_frame(APPLE_2020)


@pytest.mark.parametrize("message", [BITCOIN, EURO, APPLE_2020])
def test_a_torn_frame_is_a_quote_without_its_end_or_malformed_and_nothing_else(message: str):
    whole, torn = base64.b64decode(message), 0
    for cut in range(len(whole)):
        try:
            quote = decode_frame(enveloped(base64.b64encode(whole[:cut]).decode()))
            assert quote is None or quote.symbol == read(message).symbol
        except MalformedFrame:
            torn += 1
    assert torn > len(whole) // 3


def varint(value: int) -> bytes:
    """Seven bits a byte, the lowest first."""
    out = bytearray()
    while value > 0x7F:
        out.append(value & 0x7F | 0x80)
        value >>= 7
    return bytes([*out, value])


def zigzag(value: int) -> int:
    """Signed to unsigned: 0, -1, 1, -2 become 0, 1, 2, 3."""
    return value * 2 if value >= 0 else -value * 2 - 1


def text(number: int, value: str) -> bytes:
    return varint(number << 3 | 2) + varint(len(value.encode())) + value.encode()


def single(number: int, value: float) -> bytes:
    return varint(number << 3 | 5) + struct.pack("<f", value)


def double(number: int, value: float) -> bytes:
    return varint(number << 3 | 1) + struct.pack("<d", value)


def signed(number: int, value: int) -> bytes:
    return varint(number << 3) + varint(zigzag(value))


def plain(number: int, value: int) -> bytes:
    return varint(number << 3) + varint(value)


def by_hand(*fields: bytes) -> str:
    return base64.b64encode(b"".join(fields)).decode()


def test_our_encoder_writes_what_yahoo_wrote():
    """Apple's frame of 2020 again, from its fields: then what follows below is in Yahoo's encoding too."""
    fields = (
        text(1, "AAPL"),
        single(2, 314.7650146484375),
        signed(3, 1_589_820_933_000),
        text(5, "NMS"),
        plain(6, 8),
        plain(7, 1),
        single(8, 2.292750835418701),
        signed(9, 35_114_548 // 2),
        single(12, 7.055023193359375),
        signed(27, 2),
    )
    assert by_hand(*fields) == APPLE_2020


def test_fields_may_come_in_any_order_and_unknown_ones_between_them():
    """Field numbers as in yfinance's pricing.proto; 99 is none of them."""
    quote = read(
        by_hand(
            signed(9, 1_234),
            text(99, "something new"),
            single(16, 100.5),
            signed(3, 1_764_000_000_123),
            double(99, 1.0),
            single(2, 101.25),
            text(1, "SAP.DE"),
            plain(7, 1),
        )
    )
    assert (quote.symbol, quote.event_ms, quote.price) == ("SAP.DE", 1_764_000_000_123, 101.25)
    assert (quote.day_volume, quote.previous_close, quote.is_regular) == (1_234, 100.5, True)


def test_a_field_that_is_given_twice_counts_as_given_last():
    quote = read(by_hand(text(1, "A"), single(2, 1.0), signed(3, 5), single(2, 2.0)))
    assert quote.price == 2.0


def test_before_the_open_is_zero_on_the_wire_and_so_left_out():
    quote = read(by_hand(text(1, "A"), single(2, 10.0), signed(3, 5), single(12, 0.5)))
    assert (quote.is_regular, quote.previous_close) == (False, 9.5)
