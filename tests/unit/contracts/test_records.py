"""The wire records: what each kind refuses, and why; and that encoding loses nothing."""

import json
from dataclasses import MISSING, fields
from datetime import date
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from market.contracts import (
    END_MS,
    FIELD_TYPES,
    FIRST_MS,
    KINDS,
    MAX_RECORD_BYTES,
    SCHEMA_VERSION,
    Action,
    Bar,
    Clock,
    DeadLetter,
    Record,
    Tick,
    decode,
    is_complete_row,
    round_price,
)
from market.errors import MarketError, Reason, Rejected, UnknownCalendar
from market.timeframes import TIMEFRAMES

pytestmark = pytest.mark.unit

T0 = 1_795_012_200_000  # 2026-11-18 14:30 UTC
COMMON: dict[str, Any] = {"v": 1, "source": "simulator", "event_ms": T0, "fetched_ms": T0 + 40}
GOOD: dict[str, dict[str, Any]] = {
    "tick": COMMON | {"kind": "tick", "symbol": "AAPL", "price": 10.0},
    "bar": COMMON
    | {"kind": "bar", "symbol": "AAPL", "timeframe": "1m", "open": 2.0, "high": 3.0, "low": 1.0, "close": 2.5}
    | {"session_date": "2026-11-18", "is_complete": True},
    "clock": COMMON | {"kind": "clock", "since_ms": T0 - 1000},
    "action": COMMON | {"kind": "action", "symbol": "AAPL", "action": "split", "value": 4.0},
    "dead_letter": COMMON
    | {"kind": "dead_letter", "symbol": "", "reason": "bad_price", "detail": "price=-1", "payload": "eA==", "content_hash": "0"},
}  # fmt: skip


def said(kind: str, /, **changes: Any) -> bytes:
    """A good record of the kind with some fields changed; `...` leaves a field out."""
    body = GOOD[kind] | changes
    return json.dumps({name: value for name, value in body.items() if value is not ...}).encode()


def reason_of(payload: bytes) -> Reason | None:
    try:
        decode(payload)
    except Rejected as error:
        return error.reason
    return None


def test_the_examples_cover_every_kind_and_are_good() -> None:
    assert set(GOOD) == set(KINDS)
    for kind in GOOD:
        assert type(decode(said(kind))) is KINDS[kind]


REFUSED: list[tuple[Reason, bytes]] = [
    (Reason.NOT_UTF8, b"\xff"),
    (Reason.NOT_UTF8, said("tick")[:-1] + b',"x":"\xed\xa0\x80"}'),
    (Reason.NOT_JSON, b""),
    (Reason.NOT_JSON, said("tick")[:-1]),
    (Reason.NOT_JSON, b"[]"),
    (Reason.NOT_JSON, b"null"),
    (Reason.NOT_JSON, b"[" * 8000),
    (Reason.NOT_JSON, b"9" * 5000),
    (Reason.NOT_JSON, said("tick") + said("tick")),
    (Reason.OVERSIZED, said("tick", x="y" * MAX_RECORD_BYTES)),
    (Reason.WRONG_VERSION, b"{}"),
    *((Reason.WRONG_VERSION, said("tick", v=version)) for version in (..., None, 0, 2, "1", 1.0, True)),
    *((Reason.UNKNOWN_KIND, said("tick", kind=kind)) for kind in (..., None, "", "Tick", 1, ["tick"], {})),
    *(
        (Reason.MISSING_FIELD, said(kind, **{name: missing}))
        for kind, cls in KINDS.items()
        for name, (_, is_required) in FIELD_TYPES[cls].items()
        for missing in (..., None)
        if is_required
    ),
    *((Reason.WRONG_TYPE, said("tick", price=price)) for price in ("10", True, [10.0], {})),
    *((Reason.WRONG_TYPE, said("tick", event_ms=event_ms)) for event_ms in ("0", 0.0, float(T0), False)),
    *((Reason.WRONG_TYPE, said("tick", day_volume=volume)) for volume in ("7", 7.0, True)),
    *((Reason.WRONG_TYPE, said("tick", symbol=symbol)) for symbol in (1, ["AAPL"])),
    *((Reason.WRONG_TYPE, said("tick", session=session)) for session in ("", "REGULAR", "pre")),
    *((Reason.WRONG_TYPE, said("bar", is_complete=flag)) for flag in (0, 1, "true")),
    *((Reason.WRONG_TYPE, said("bar", session_date=day)) for day in ("", "18.11.2026", "2026-02-30", "20261118", "2026-W47-3")),
    (Reason.WRONG_TYPE, said("bar", timeframe="1d", session="ext")),
    (Reason.WRONG_TYPE, said("action", action="merger")),
    *((Reason.UNKNOWN_TIMEFRAME, said("bar", timeframe=name)) for name in ("", "2m", "1M", "60m")),
    *(
        (Reason.BAD_PRICE, said("tick", **{name: price}))
        for name in ("price", "day_high", "day_low", "previous_close")
        for price in (0, -1.0, -0.0, float("nan"), float("inf"), 1e9, 10**400, -(10**400))
    ),
    *((Reason.BAD_PRICE, said("bar", open=price)) for price in (0.0, -2.0, float("nan"))),
    *((Reason.BAD_PRICE, said("action", value=value)) for value in (0.0, -4.0, float("inf"))),
    *((Reason.BAD_VOLUME, said("tick", day_volume=volume)) for volume in (-1, 2**53, 10**400)),
    *((Reason.BAD_VOLUME, said("bar", volume=volume)) for volume in (-1.0, float("nan"), float("inf"), 2.0**53, 10**400)),
    (Reason.BAD_RANGE, said("bar", open=0.5)),
    (Reason.BAD_RANGE, said("bar", close=3.5)),
    (Reason.BAD_RANGE, said("bar", high=1.0, low=3.0)),
    (Reason.MISALIGNED, said("bar", event_ms=T0 + 1000)),
    *(
        (Reason.BAD_TIME, said(kind, **{name: time}))
        for kind in GOOD
        for name in ("event_ms", "fetched_ms")
        for time in (FIRST_MS - 60_000, END_MS, 10**30, T0 * 1_000_000)
    ),
    *((Reason.BAD_TIME, said("clock", since_ms=time)) for time in (END_MS, -(10**30))),
    *((Reason.BAD_TIME, said("bar", session_date=day)) for day in ("0001-01-01", "2025-11-18", "2027-01-18", "9999-12-31")),
    *((Reason.TOO_OLD, said("tick", event_ms=time)) for time in (0, T0 // 1000, T0 - 101 * 86_400_000)),
    (Reason.FUTURE, said("tick", fetched_ms=T0 - 60_001)),
    (Reason.FUTURE, said("bar", fetched_ms=T0 - 86_400_001)),
    (Reason.FUTURE, said("clock", fetched_ms=T0 - 1)),
]  # fmt: skip


@pytest.mark.parametrize(("reason", "payload"), REFUSED, ids=lambda value: str(value)[:80])
def test_a_record_that_breaks_the_contract_is_refused_for_its_reason(reason: Reason, payload: bytes) -> None:
    assert reason_of(payload) is reason


def test_every_reason_that_a_record_can_have_by_itself_has_an_example_here() -> None:
    of_the_platform = {Reason.UNKNOWN_SYMBOL, Reason.WRONG_SOURCE, Reason.PRICE_JUMP}
    assert {reason for reason, _ in REFUSED} == set(Reason) - of_the_platform


ACCEPTED = [
    ("a whole number where a price is asked for", said("tick", price=10), "price", 10.0),
    ("a field that a later version added", said("tick", tape="C", nested={"a": [1]}), "price", 10.0),
    ("null where nothing need be", said("tick", session=None, day_volume=None), "session", "regular"),
    ("no day volume is not a day volume of zero", said("tick"), "day_volume", None),
    ("a day volume of zero", said("tick", day_volume=0), "day_volume", 0),
    ("a provider's clock a minute ahead", said("tick", fetched_ms=T0 - 60_000), "price", 10.0),
    ("the largest volume", said("tick", day_volume=2**53 - 1), "day_volume", 2**53 - 1),
    ("a bar that never moved", said("bar", open=1.0, high=1.0, low=1.0, close=1.0), "high", 1.0),
    ("a bar without volume", said("bar"), "volume", None),
    ("a daily bar of 1962", said("bar", event_ms=-252_322_200_000, session_date="1962-01-02", timeframe="1d"), "high", 3.0),
    ("the next session's bar before its open", said("bar", fetched_ms=T0 - 86_400_000), "high", 3.0),
    ("an action that is announced", said("action", event_ms=T0 + 90 * 86_400_000), "value", 4.0),
]  # fmt: skip


@pytest.mark.parametrize(("what", "payload", "name", "value"), ACCEPTED, ids=[case[0] for case in ACCEPTED])
def test_a_record_at_the_edge_of_the_contract_is_taken_as_it_is(
    what: str, payload: bytes, name: str, value: object
) -> None:
    found = getattr(decode(payload), name)
    assert found == value
    assert type(found) is type(value)


@pytest.mark.parametrize(
    ("payload", "symbol"),
    [
        (said("tick", price=-1.0), "AAPL"),
        (said("tick", price="x"), "AAPL"),
        (said("tick", v=2), "AAPL"),
        (said("tick", kind="trade"), "AAPL"),
        (said("tick", symbol=None), ""),
        (said("tick", symbol=["AAPL"]), ""),
        (b"nonsense", ""),
    ],
)
def test_a_rejection_names_the_symbol_where_it_can_be_read(payload: bytes, symbol: str) -> None:
    with pytest.raises(Rejected) as caught:
        decode(payload)
    assert caught.value.symbol == symbol


def test_a_rejection_names_the_field_and_its_value() -> None:
    with pytest.raises(Rejected, match=r"bad_price: day_low=-0\.5"):
        decode(said("tick", day_low=-0.5))


names = st.sampled_from([*GOOD["bar"], *GOOD["tick"], "x"])
json_values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=5),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(names, inner, max_size=9),
)


@given(st.binary(max_size=200) | json_values.map(lambda value: json.dumps(value).encode()))
def test_decode_raises_rejected_and_nothing_else(payload: bytes) -> None:
    reason_of(payload)


texts = st.text(max_size=12)
times = st.integers(FIRST_MS, END_MS - 1)
prices = st.floats(0.0, 1e9, exclude_min=True, exclude_max=True)
volumes = st.none() | st.integers(0, 2**53 - 1)


@st.composite
def envelopes(draw: st.DrawFn, ahead_ms: int = 0, behind_ms: int = END_MS) -> dict[str, Any]:
    event_ms = draw(times)
    latest = min(END_MS - 1, event_ms + behind_ms)
    return {
        "source": draw(texts),
        "event_ms": event_ms,
        "fetched_ms": draw(st.integers(max(FIRST_MS, event_ms - ahead_ms), max(event_ms, latest))),
    }


@st.composite
def bars(draw: st.DrawFn) -> Bar:
    low, first, last, high = sorted(draw(st.tuples(*[prices] * 4)))
    envelope = draw(envelopes())
    minutes, timeframe = draw(st.integers(0, 28_000_000)), draw(st.sampled_from(sorted(TIMEFRAMES)))
    return Bar(
        source=envelope["source"],
        event_ms=minutes * 60_000,
        fetched_ms=max(envelope["fetched_ms"], minutes * 60_000),
        symbol=draw(texts),
        timeframe=timeframe,
        **draw(st.sampled_from([{"open": first, "close": last}, {"open": last, "close": first}])),
        high=high,
        low=low,
        volume=draw(st.none() | st.floats(0, 2**53 - 1)),
        session=draw(st.sampled_from(["regular", "ext"] if TIMEFRAMES[timeframe].is_intraday else ["regular"])),
        session_date=str(date.fromordinal(719_163 + minutes // 1440 + draw(st.integers(-30, 30)))),
        is_complete=draw(st.booleans()),
    )


records = st.one_of(
    st.builds(
        lambda envelope, **rest: Tick(**envelope, **rest),
        envelopes(60_000, Tick.MAX_BEHIND_MS), symbol=texts, price=prices,
        day_volume=volumes, session=st.sampled_from(["regular", "ext"]),
        day_high=st.none() | prices, day_low=st.none() | prices, previous_close=st.none() | prices,
    ),
    bars(),
    st.builds(lambda envelope, since_ms: Clock(**envelope, since_ms=since_ms), envelopes(), times),
    st.builds(
        lambda envelope, **rest: Action(**envelope, **rest),
        envelopes(), symbol=texts, action=st.sampled_from(["split", "dividend"]), value=prices,
        is_withdrawn=st.none() | st.booleans(),
    ),
    st.builds(
        lambda envelope, **rest: DeadLetter(**envelope, **rest),
        envelopes(), symbol=texts, reason=texts, detail=texts, payload=texts, content_hash=texts,
    ),
)  # fmt: skip


@given(records)
def test_decoding_what_was_encoded_gives_the_record_back(record: Record) -> None:
    payload = record.encode()
    assert decode(payload) == record
    assert b"\n" not in payload
    assert payload.startswith(b'{"v":%d,"kind":"%s",' % (SCHEMA_VERSION, record.kind.encode()))


def test_what_is_none_is_left_out() -> None:
    body = json.loads(decode(said("tick")).encode())
    assert body == GOOD["tick"] | {"session": "regular"}


@pytest.mark.parametrize("detail", ["\ud83d", "é:null", "\x00\u2028\x7f"])
def test_what_a_stranger_said_survives_whatever_it_is(detail: str) -> None:
    letter = DeadLetter(
        source="s",
        event_ms=T0,
        fetched_ms=T0,
        symbol="",
        reason="bad_price",
        detail=detail,
        payload="eA==",
        content_hash="0",
    )
    assert decode(letter.encode()) == letter


def test_a_price_that_is_no_number_cannot_be_encoded() -> None:
    with pytest.raises(ValueError, match="JSON"):
        Action(source="s", event_ms=0, fetched_ms=0, symbol="A", action="split", value=float("nan")).encode()


def test_optional_fields_default_to_none_but_for_the_session() -> None:
    defaults = {
        (kind, field.name): field.default
        for kind, cls in KINDS.items()
        for field in fields(cls)
        if field.default is not MISSING
    }
    assert {name: value for name, value in defaults.items() if value is not None} == {
        ("tick", "session"): "regular",
        ("bar", "session"): "regular",
    }


@pytest.mark.parametrize(
    ("end_ms", "fetched_ms", "aligned", "in_progress", "expected"),
    [
        #  start 0, end 60 s, fetched at; settled 30 s after its end
        (60_000, 90_000, True, False, True),
        (60_000, 89_999, True, False, False),
        (60_000, 60_000, True, False, False),
        (60_000, 600_000, False, False, False),
        (60_000, 600_000, True, True, False),
        (0, 600_000, True, False, False),  # a bar without length is no bar
    ],
)
def test_a_row_is_complete_when_it_is_aligned_over_and_settled(
    end_ms: int, fetched_ms: int, aligned: bool, in_progress: bool, expected: bool
) -> None:
    assert is_complete_row(0, end_ms, fetched_ms, aligned=aligned, last_of_open_session=in_progress) is expected


@pytest.mark.parametrize(
    ("told", "precision", "expected"),
    [
        (189.97999572753906, 2, 189.98),
        (1.0824999809265137, 4, 1.0825),
        (0.00001234567, 8, 1.235e-05),
        (151.25, 0, 151.0),
    ],
)
def test_prices_are_rounded_to_the_instruments_precision(told: float, precision: int, expected: float) -> None:
    assert round_price(told, precision) == expected


def test_every_error_of_the_core_is_a_market_error_with_its_fields() -> None:
    rejected = Rejected(Reason.FUTURE, "event_ms=1", "AAPL")
    assert (rejected.reason, rejected.detail, rejected.symbol, str(rejected)) == (
        "future",
        "event_ms=1",
        "AAPL",
        "future: event_ms=1",
    )
    assert UnknownCalendar("XYZ").exchange == "XYZ"
    assert {type(rejected), UnknownCalendar} <= set(MarketError.__subclasses__())
