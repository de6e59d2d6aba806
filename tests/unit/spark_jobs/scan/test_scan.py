"""One scan of a Kafka partition, against a reading of the same records one by one.

The expected side is `market.contracts.decode` and plain Python; the scan may take any short cut that gives the same.
"""

import hashlib
from collections import defaultdict
from collections.abc import Sequence
from dataclasses import replace
from itertools import pairwise
from typing import Any

import pyarrow as pa
import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from market.actions import TAKEN_BACK
from market.contracts import Action, Bar, Clock, DeadLetter, Tick, decode
from market.errors import Reason, Rejected
from spark_jobs.scan.bounds import Bounds
from spark_jobs.scan.decode import TICK as TICK_SHAPE
from spark_jobs.scan.decode import split, valid_ticks
from spark_jobs.scan.known import Known
from spark_jobs.scan.one_pass import DEAD_LETTERS, EVENTS, HISTORY, Scan
from tests.unit.spark_jobs.scan import payloads
from tests.unit.spark_jobs.scan.payloads import SOURCE, SYMBOLS, T0

pytestmark = pytest.mark.unit

KNOWN = frozenset(SYMBOLS)


def batch_of(values: Sequence[bytes | None], first: int = 0, topic: int = EVENTS, partition: int = 1) -> pa.RecordBatch:
    count = len(values)
    columns = [
        pa.array([topic] * count, pa.int32()),
        pa.array([partition] * count, pa.int32()),
        pa.array(range(first, first + count), pa.int64()),
        pa.array(list(values), pa.binary()),
    ]
    return pa.RecordBatch.from_arrays(columns, ["topic", "partition", "offset", "value"])


def scanned(
    batches: list[pa.RecordBatch], ledger: dict[tuple[int, int], int] | None = None, **more: Any
) -> list[dict[str, Any]]:
    scan = Scan(ledger or {}, SOURCE, Known.of(list(SYMBOLS)), **more)
    return [row for piece in scan(iter(batches)) for row in piece.to_pylist()]


def read_one(value: bytes | None) -> Tick | Reason:
    """A tick that the platform takes, or why it does not."""
    try:
        record = decode(value or b"")
    except Rejected as error:
        return error.reason
    assert isinstance(record, Tick)
    if record.source != SOURCE:
        return Reason.WRONG_SOURCE
    return record if record.symbol in KNOWN else Reason.UNKNOWN_SYMBOL


def key(tick: Tick) -> tuple[int, int, float]:
    return tick.event_ms, -1 if tick.day_volume is None else tick.day_volume, tick.price


NO_TICK = (0, 0, 0.0)


def last_two(row: dict[str, Any]) -> list[tuple[int, int, float]]:
    return [
        (row["last_ms"], row["last_volume"], row["close"]),
        (row["before_ms"], row["before_volume"], row["before_price"]),
    ]


def extremes(ticks: list[Tick]) -> tuple[tuple[int, float], tuple[int, float]]:
    """(when it was told, the newest high), the same of the low with its sign turned; of one millisecond the wider."""
    told = [tick for tick in ticks if (tick.day_low or 0) <= tick.price <= (tick.day_high or tick.price)]
    highs = [(tick.event_ms, tick.day_high) for tick in told if tick.day_high]
    lows = [(tick.event_ms, -tick.day_low) for tick in told if tick.day_low]
    return max(highs, default=(0, 0)), max(lows, default=(0, 0))


def plain_bars(ticks: list[Tick]) -> dict[tuple[str, str, int], dict[str, Any]]:
    """The partial minute bars of ticks."""
    minutes = defaultdict(list)
    for tick in ticks:
        minutes[tick.symbol, tick.session, tick.event_ms // 60_000 * 60_000].append(tick)
    bars = {}
    for minute, members in minutes.items():
        first, last, prices = min(members, key=key), max(members, key=key), [tick.price for tick in members]
        bars[minute] = {
            "open": first.price, "high": max(prices), "low": min(prices), "close": last.price, "records": len(members),
            "first": key(first)[:2], "last": key(last)[:2], "day_volume": max(key(tick)[1] for tick in members),
            "received_ms": max(tick.fetched_ms for tick in members),
            "before": sorted({NO_TICK, *map(key, members)})[:-1][-1:],
            "extremes": extremes(members),
        }  # fmt: skip
    return bars


def merged(rows: list[dict[str, Any]]) -> dict[tuple[str, str, int], dict[str, Any]]:
    """Tick rows of a scan, which may have a minute in several pieces, as `plain_bars` gives them."""
    minutes = defaultdict(list)
    for row in rows:
        if row["row"] == "tick":
            minutes[row["symbol"], row["session"], row["ts"]].append(row)
    bars = {}
    for minute, members in minutes.items():
        first = min(members, key=lambda row: (row["first_ms"], row["first_volume"], row["open"]))
        last = max(members, key=lambda row: (row["last_ms"], row["last_volume"], row["close"]))
        bars[minute] = {
            "open": first["open"], "high": max(row["high"] for row in members), "low": min(row["low"] for row in members),
            "close": last["close"], "records": sum(row["records"] for row in members),
            "first": (first["first_ms"], first["first_volume"]), "last": (last["last_ms"], last["last_volume"]),
            "day_volume": max(row["day_volume"] for row in members),
            "received_ms": max(row["received_ms"] for row in members),
            "before": sorted({NO_TICK, *(key for row in members for key in last_two(row))})[:-1][-1:],
            "extremes": (
                max((row["high_ms"], row["high_ms"] and row["quoted_high"]) for row in members),
                max((row["low_ms"], row["low_ms"] and -row["quoted_low"]) for row in members),
            ),
        }  # fmt: skip
    return bars


def rejects(rows: list[dict[str, Any]]) -> dict[int, str]:
    return {row["first_offset"]: row["reason"] for row in rows if row["row"] == "reject"}


TICK = (
    b'{"v":1,"kind":"tick","source":"simulator","event_ms":1795012200000,"fetched_ms":1795012200000,'
    b'"symbol":"AAPL","price":1.5%s}'
)


@given(st.lists(payloads.values, max_size=12), st.integers(0, 12))
@example([TICK % b',"kind":"bar"'], 0)  # kind said twice: JSON's last one counts
@example([TICK % b',"extra":"\xff"'], 0)  # not UTF-8 where nobody looks
@example([TICK % b',"extra":Inf'], 0)
@example([TICK % b',"extra":-NaN'], 0)
@example(
    [b'{"v":1,"kind":"tick","extra":', TICK % b"" + b"}", TICK % b"" + TICK % b""], 3
)  # three values, three objects
@example([(TICK % b"").replace(b'"AAPL"', b'"\xff"')], 0)
@example([(TICK % b"").replace(b'"AAPL"', b'""')], 0)
@example([(TICK % b"").replace(b"1.5", b"1" + b"0" * 400)], 0)
@example([TICK % (b',"day_volume":1' + b"0" * 400)], 0)
@example([TICK % b"", None], 2)
def test_the_scan_takes_refuses_and_folds_as_the_contract_does_record_by_record(
    values: list[bytes | None], cut: int
) -> None:
    rows = scanned(
        [batch for batch in (batch_of(values[:cut]), batch_of(values[cut:], min(cut, len(values)))) if len(batch)]
    )
    expected = {offset: read_one(value) for offset, value in enumerate(values)}
    assert rejects(rows) == {offset: found.value for offset, found in expected.items() if isinstance(found, Reason)}
    assert merged(rows) == plain_bars([found for found in expected.values() if isinstance(found, Tick)])
    refused = {row["first_offset"]: row for row in rows if row["row"] == "reject"}
    for offset, row in refused.items():
        assert row["payload"] == (values[offset] or b"")
        assert row["content_hash"] == hashlib.sha256(values[offset] or b"").hexdigest()
        for name in ("symbol", "detail"):
            assert "\0" not in row[name], "PostgreSQL's text holds no NUL"


@given(st.lists(payloads.values, min_size=1, max_size=8))
def test_arrow_never_takes_what_the_contract_refuses(values: list[bytes | None]) -> None:
    mask, table = split(pa.array([value or b"" for value in values], pa.binary()), TICK_SHAPE)
    if table is None:
        assert not mask.any()
        return
    good, ticks = valid_ticks(table, SOURCE, KNOWN)
    read = [read_one(value) for value, is_read in zip(values, mask.tolist(), strict=True) if is_read]
    assert good.tolist() == [isinstance(found, Tick) for found in read]
    names, columns = ticks.symbols.to_pylist(), ticks.columns
    assert [
        (names[code], ext, ms, received, price, volume)
        for code, ext, ms, received, price, volume in zip(
            *(columns[name].tolist() for name in ("code", "is_ext", "event_ms", "fetched_ms", "price", "day_volume")),
            strict=True,
        )
    ] == [
        (found.symbol, int(found.session == "ext"), found.event_ms, found.fetched_ms, found.price, key(found)[1])
        for found in read
        if isinstance(found, Tick)
    ]


def test_good_ticks_take_the_short_cut() -> None:
    """Without this the tests above would also pass for a scan that asks the contract about every record."""
    tick = Tick(source=SOURCE, event_ms=T0, fetched_ms=T0, symbol="AAPL", price=1.0, day_volume=3, day_high=1.0)
    mask, table = split(pa.array([tick.encode()] * 3), TICK_SHAPE)
    assert mask.all()
    assert table is not None
    assert valid_ticks(table, SOURCE, KNOWN)[0].all()


@given(st.lists(payloads.ticks, min_size=1, max_size=10), st.integers(0, 12), st.lists(st.integers(0, 10), max_size=3))
def test_what_lies_below_the_ledger_never_counts_however_the_range_is_cut(
    values: list[bytes], ledger: int, cuts: list[int]
) -> None:
    #   log      0 1 2 3 4 5 6
    #   ledger         ^          counted: 3 4 5 6, and the range says 3 to 6
    bounds = sorted({0, len(values), *(cut for cut in cuts if cut < len(values))})
    parts = [batch_of(values[a:b], a) for a, b in pairwise(bounds)]
    rows = scanned(parts, {(EVENTS, 1): ledger})
    fresh = values[ledger:]
    ranges = [(row["first_offset"], row["last_offset"], row["records"]) for row in rows if row["row"] == "range"]
    assert ranges == ([(ledger, len(values) - 1, len(fresh))] if fresh else [])
    below = [row["records"] for row in rows if row["row"] == "below"]
    assert below == ([min(ledger, len(values))] if ledger else [])
    assert merged(rows) == plain_bars([tick for tick in map(read_one, fresh) if isinstance(tick, Tick)])


def test_partitions_of_one_arrow_batch_are_kept_apart() -> None:
    both = [batch_of([TICK % b""] * 2, 5, EVENTS, 0), batch_of([TICK % b""] * 3, 9, EVENTS, 1)]
    mixed = pa.Table.from_batches(both).combine_chunks().to_batches()
    rows = scanned(mixed, {(EVENTS, 1): 11})
    ranges = {(row["partition"], row["first_offset"], row["last_offset"]) for row in rows if row["row"] == "range"}
    assert ranges == {(0, 5, 6), (1, 11, 11)}
    assert {row["partition"]: row["records"] for row in rows if row["row"] == "tick"} == {0: 2, 1: 1}


def bar(**changes: Any) -> Bar:
    given = {"timeframe": "1m", "open": 2.0, "high": 3.0, "low": 1.0, "close": 2.5, "session_date": "2026-11-18"}
    return Bar(source=SOURCE, symbol="AAPL", event_ms=T0, fetched_ms=T0, is_complete=True, **(given | changes))


def test_a_withdrawn_action_has_no_value() -> None:
    told = Action(source=SOURCE, event_ms=T0, fetched_ms=T0, symbol="AAPL", action="split", value=4.0)
    words = [replace(told, is_withdrawn=is_withdrawn).encode() for is_withdrawn in (None, True, False)]
    assert [row["close"] for row in scanned([batch_of(words)]) if row["row"] == "action"] == [4.0, TAKEN_BACK, 4.0]


def test_a_bar_a_clock_and_an_action_come_through_field_by_field() -> None:
    clock = Clock(source=SOURCE, event_ms=T0, fetched_ms=T0 + 1000, since_ms=T0 - 5)
    action = Action(source=SOURCE, event_ms=T0, fetched_ms=T0, symbol="AAPL", action="split", value=4.0)
    rows = scanned([batch_of([bar(volume=10.0).encode(), clock.encode(), action.encode()])])
    by_kind = {row["row"]: {name: value for name, value in row.items() if value is not None} for row in rows}
    place = {"topic": EVENTS, "partition": 1, "records": 1}
    assert by_kind["bar"] == place | {
        "row": "bar", "first_offset": 0, "last_offset": 0, "symbol": "AAPL", "timeframe": "1m", "session": "regular",
        "session_date": "2026-11-18", "ts": T0, "open": 2.0, "high": 3.0, "low": 1.0, "close": 2.5, "volume": 10.0,
        "is_complete": True, "received_ms": T0,
    }  # fmt: skip
    assert by_kind["clock"] == place | {
        "row": "clock",
        "first_offset": 1,
        "last_offset": 1,
        "ts": T0,
        "since_ms": T0 - 5,
    }
    assert by_kind["action"] == place | {
        "row": "action", "first_offset": 2, "last_offset": 2, "symbol": "AAPL", "ts": T0, "action": "split", "close": 4.0,
        "received_ms": T0,
    }  # fmt: skip
    assert by_kind["range"] == {
        "row": "range", "topic": EVENTS, "partition": 1, "first_offset": 0, "last_offset": 2, "records": 3,
    }  # fmt: skip


def test_ingestions_dead_letter_is_a_reject_with_the_original_bytes() -> None:
    letter = DeadLetter(
        source=SOURCE, event_ms=T0, fetched_ms=T0, symbol="NOPE", reason="bad_price", detail="price=-1\0", payload="/wA=",
        content_hash="00ff",
    )  # fmt: skip
    [row, _] = scanned([batch_of([letter.encode()], 7, DEAD_LETTERS, 0)])
    assert (row["row"], row["stage"], row["symbol"], row["reason"]) == ("reject", "ingestion", "NOPE", "bad_price")
    assert (row["payload"], row["content_hash"], row["received_ms"]) == (b"\xff\x00", "00ff", T0)
    assert "\0" not in row["detail"]


REFUSED = [
    ("a dead letter that is not base64", EVENTS, Reason.WRONG_TYPE, {"kind": "dead_letter", "payload": "%%", "reason": "x",
     "detail": "", "content_hash": ""}),
    ("a record of another source", EVENTS, Reason.WRONG_SOURCE, {"kind": "clock", "source": "yahoo", "since_ms": 1}),
    ("a clock on the history topic", HISTORY, Reason.UNKNOWN_KIND, {"kind": "clock", "since_ms": 1}),
    ("a dividend of nobody", EVENTS, Reason.UNKNOWN_SYMBOL, {"kind": "action", "symbol": "", "action": "dividend", "value": 1.0}),
    ("a symbol that nobody listed", HISTORY, Reason.UNKNOWN_SYMBOL, {"kind": "action", "symbol": "ZZZ", "action": "split",
     "value": 1.0}),
]  # fmt: skip


@pytest.mark.parametrize(("what", "topic", "reason", "fields"), REFUSED, ids=[case[0] for case in REFUSED])
def test_what_the_stream_alone_can_refuse_is_a_reject_with_its_offset(
    what: str, topic: int, reason: Reason, fields: dict[str, Any]
) -> None:
    body = {"v": 1, "source": SOURCE, "event_ms": T0, "fetched_ms": T0, "symbol": "AAPL"} | fields
    assert rejects(scanned([batch_of([payloads.encoded(body)], 3, topic)])) == {3: reason.value}


@pytest.mark.parametrize("record", [TICK % b"", bar().encode()], ids=["tick", "bar"])
def test_nothing_is_read_from_the_given_time_on(record: bytes) -> None:
    assert rejects(scanned([batch_of([record])], bounds=Bounds(until_ms=T0))) == {0: Reason.FUTURE.value}
    assert rejects(scanned([batch_of([record])], bounds=Bounds(until_ms=T0 + 1))) == {}


@pytest.mark.parametrize("record", [TICK % b"", bar().encode()], ids=["tick", "bar"])
def test_nothing_is_read_from_before_the_oldest_partition(record: bytes) -> None:
    assert rejects(scanned([batch_of([record])], bounds=Bounds(from_ms=T0 + 1))) == {0: Reason.TOO_OLD.value}
    assert rejects(scanned([batch_of([record])], bounds=Bounds(from_ms=T0))) == {}
