"""Kafka values of every kind: good ticks, ticks that went wrong in one place, and noise."""

import json
from typing import Any

from hypothesis import strategies as st

SOURCE = "simulator"
SYMBOLS = ("AAPL", "MSFT", "BTC-USD")
T0 = 1_795_012_200_000  # 2026-11-18 14:30 UTC

symbols = st.sampled_from(SYMBOLS)
times = st.integers(T0, T0 + 150_000)
prices = st.one_of(st.sampled_from([100.0, 100.01, 99.99, 7]), st.floats(0.01, 999_999_999.0))
optional_prices = st.one_of(st.none(), prices)


@st.composite
def tick_bodies(draw: st.DrawFn) -> dict[str, Any]:
    """A valid tick as a dict in the order of the contract's own `encode`; what is None is sometimes left out."""
    body: dict[str, Any] = {"v": 1, "kind": "tick", "source": SOURCE, "event_ms": draw(times)}
    body["fetched_ms"] = body["event_ms"] + draw(st.integers(0, 2000))
    body["symbol"], body["price"] = draw(symbols), draw(prices)
    body["day_volume"] = draw(st.one_of(st.none(), st.integers(0, 300), st.just(2**53 - 1)))
    body["session"] = draw(st.sampled_from(["regular", "regular", "ext", None]))
    for name in ("day_high", "day_low", "previous_close"):
        body[name] = draw(optional_prices)
    is_kept = draw(st.booleans())
    return {name: value for name, value in body.items() if is_kept or value is not None}


def encoded(body: dict[str, Any]) -> bytes:
    return json.dumps(body, separators=(",", ":")).encode()


ticks = tick_bodies().map(encoded)

# What a field may hold instead of what it should; the texts are what Python's json writes or a careless producer may.
WRONG = st.sampled_from(
    [
        b"null", b"true", b'""', b'"x"', b'"regular"', b'"1"', b"0", b"-0", b"1", b"-1", b"2", b"1.0", b"1.5", b"-0.0", b"1e3",
        b"1E400", b"1e-400", b"NaN", b"Infinity", b"-Infinity", b"Inf", b"-NaN", b"nan", b"[]", b"{}", b"[1]", b'{"a":1}',
        b"1" + b"0" * 30, b"-1" + b"0" * 30, b"1" + b"0" * 400, b"1" + b"0" * 5000, b"9223372036854775807", b"9223372036854775808",
        b"-9223372036854775808", b"1000000000", b"999999999.9", b"9007199254740992", b"4102444800000", b"01", b"+1", b".5", b"1.",
        b"0x10", b"1_000", b'"\\u0000"', b'"\\ud800"', b'"\\ud83d\\ude00"', '"é"'.encode(), b'"\xff"', b'"\xed\xa0\x80"', b'"\t"',
        b"'x'", b'"AAPL"', b'"\\u0041APL"', b'"AAPL\\u0000"', b'"tick"', b'"bar"', b"[" * 3000 + b"]" * 3000, b"",
    ]
)  # fmt: skip
NAMES = (
    "v", "kind", "source", "event_ms", "fetched_ms", "symbol", "price", "day_volume", "session", "day_high", "day_low",
    "previous_close", "extra", "", "pr\\u0069ce",
)  # fmt: skip


@st.composite
def with_a_wrong_field(draw: st.DrawFn) -> bytes:
    """A tick in which one field is replaced, added or said twice."""
    fields = [(json.dumps(name).encode(), json.dumps(value).encode()) for name, value in draw(tick_bodies()).items()]
    name = b'"' + draw(st.sampled_from(NAMES)).encode() + b'"'
    field = (name, draw(WRONG))
    at = draw(st.sampled_from(["replaced", "appended", "first"]))
    if at == "replaced":
        fields = [field if known[0] == name else known for known in fields]
    else:
        fields.insert(0 if at == "first" else len(fields), field)
    return b"{" + b",".join(key + b":" + value for key, value in fields) + b"}"


@st.composite
def without_a_field(draw: st.DrawFn) -> bytes:
    body = draw(tick_bodies())
    body.pop(draw(st.sampled_from(sorted(body))))
    return encoded(body)


@st.composite
def reordered(draw: st.DrawFn) -> bytes:
    """The same fields in another order and with white space, as another producer would write them."""
    names = draw(st.permutations(list(body := draw(tick_bodies()))))
    indent, separators = draw(st.sampled_from([(None, (", ", ": ")), (1, (",", ":")), (None, (",", ":"))]))
    text = json.dumps({name: body[name] for name in names}, indent=indent, separators=separators)
    prefix = draw(st.sampled_from(["", " ", "\n", "\ufeff", '{"v":1,"kind":"tick",']))
    return (prefix + text[1:] if prefix.startswith("{") else prefix + text).encode()


@st.composite
def damaged(draw: st.DrawFn) -> bytes:
    """A tick cut short, with a byte changed, put in or left out, or run together with another."""
    value = draw(ticks)
    at = draw(st.integers(0, len(value)))
    byte = draw(
        st.sampled_from([b"{", b"}", b'"', b",", b":", b"\n", b"\r\n", b"\0", b"\xff", b"\\", b" ", b"1", b"N", b"["])
    )
    other = draw(ticks)
    return draw(
        st.sampled_from(
            [value[:at], value[:at] + byte + value[at:], value[:at] + byte + value[at + 1 :], value[:at] + value[at + 1 :],
             value + other, value + b"\n" + other, value[:at] + other, value + b"," + other, b"[" + value + b"]"]
        )
    )  # fmt: skip


PREFIX = b'{"v":1,"kind":"tick",'
noise = st.one_of(
    st.none(), st.binary(max_size=40), st.binary(max_size=40).map(lambda tail: PREFIX + tail), st.just(PREFIX * 1000)
)
values = st.one_of(ticks, ticks, ticks, with_a_wrong_field(), without_a_field(), reordered(), damaged(), noise)
