"""Bars read by Arrow are the bars that the contract reads, record by record."""

import json
from typing import Any

import pyarrow as pa
import pytest
from hypothesis import given
from hypothesis import strategies as st

from market.contracts import Bar, decode
from market.errors import Reason, Rejected
from spark_jobs.scan.known import Known
from spark_jobs.scan.one_pass import HISTORY, Scan
from tests.unit.spark_jobs.scan.payloads import SOURCE, SYMBOLS, T0, WRONG

pytestmark = pytest.mark.unit


@st.composite
def bar_bodies(draw: st.DrawFn) -> dict[str, Any]:
    low = draw(st.floats(0.01, 1e6))
    return {
        "v": 1,
        "kind": "bar",
        "source": draw(st.sampled_from([SOURCE, SOURCE, SOURCE, "yahoo"])),
        "event_ms": T0 + 60_000 * draw(st.integers(0, 500)) + draw(st.sampled_from([0, 0, 0, 1])),
        "fetched_ms": T0 + 60_000 * 600,
        "symbol": draw(st.sampled_from([*SYMBOLS, "NOPE"])),
        "timeframe": draw(st.sampled_from(["1m", "5m", "1d", "1mo", "2m"])),
        "open": low * draw(st.sampled_from([1, 1.5])),
        "high": low * draw(st.sampled_from([1.5, 2, 1])),
        "low": low,
        "close": low * draw(st.sampled_from([1, 1.5])),
        "volume": draw(st.one_of(st.none(), st.floats(0, 1e9), st.just(-1))),
        "session": draw(st.sampled_from(["regular", "ext", "night"])),
        "session_date": draw(st.sampled_from(["2026-11-18", "2026-11-19", "2026-11-31", "20261118", "2020-01-01"])),
        "is_complete": draw(st.booleans()),
    }


@st.composite
def bars(draw: st.DrawFn) -> bytes:
    """A bar that may be wrong in a value or, one time in three, in a field's very shape."""
    body = draw(bar_bodies())
    parts = {json.dumps(name).encode(): json.dumps(value).encode() for name, value in body.items() if value is not None}
    if draw(st.integers(0, 2)) == 0:
        parts[draw(st.sampled_from(sorted(parts)))] = draw(WRONG)
    return b"{" + b",".join(name + b":" + value for name, value in parts.items()) + b"}"


def read_one(value: bytes) -> Bar | Reason:
    try:
        record = decode(value)
    except Rejected as error:
        return error.reason
    if record.source != SOURCE:
        return Reason.WRONG_SOURCE
    if getattr(record, "symbol", "") not in SYMBOLS:
        return Reason.UNKNOWN_SYMBOL
    assert isinstance(record, Bar)
    return record


@given(st.lists(bars(), min_size=1, max_size=6))
def test_arrow_takes_and_refuses_bars_as_the_contract_does(values: list[bytes]) -> None:
    batch = pa.RecordBatch.from_pydict(
        {
            "value": pa.array(values, pa.binary()),
            "topic": pa.array([HISTORY] * len(values), pa.int32()),
            "partition": pa.array([0] * len(values), pa.int32()),
            "offset": pa.array(range(len(values)), pa.int64()),
        }
    )
    rows = [row for piece in Scan({}, SOURCE, Known.of(list(SYMBOLS)))(iter([batch])) for row in piece.to_pylist()]
    found = {row["first_offset"]: row for row in rows if row["row"] in ("bar", "reject")}
    for offset, value in enumerate(values):
        row, expected = found[offset], read_one(value)
        if isinstance(expected, Reason):
            assert (row["row"], row["reason"]) == ("reject", expected.value)
        else:
            assert row["row"] == "bar"
            given_fields = ("symbol", "timeframe", "open", "high", "low", "close", "volume", "session", "session_date")
            for name in (*given_fields, "is_complete"):
                assert row[name] == getattr(expected, name), name
            assert (row["ts"], row["received_ms"]) == (expected.event_ms, expected.fetched_ms)
