"""What compiled code reads is what the contract reads, to the last bit; and it reads what our own producers write."""

import math
from collections.abc import Sequence

import numpy as np
import pyarrow as pa
import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from market.contracts import Tick, decode
from market.errors import Rejected
from spark_jobs.scan.bounds import Bounds
from spark_jobs.scan.canonical import read_ticks
from spark_jobs.scan.known import NOT_KNOWN, Known, code_of
from tests.unit.spark_jobs.scan import payloads
from tests.unit.spark_jobs.scan.payloads import SOURCE, SYMBOLS, T0

pytestmark = pytest.mark.unit

KNOWN = Known.of(list(SYMBOLS))
UNTIL_MS = T0 + 100_000
BOUNDS = Bounds(T0 - 1, UNTIL_MS)
NAMES = st.text(st.characters(codec="utf-8"), min_size=1)


def read(values: Sequence[bytes], bounds: Bounds = BOUNDS) -> list[Tick | None]:
    """The ticks that were read; None for what was left to others."""
    # A slice, so that no buffer begins at nought.
    array = pa.array([b"before", *values], pa.binary()).slice(1)
    is_read, columns = read_ticks(array, SOURCE, KNOWN, bounds)
    rows = iter(zip(*(columns[name].tolist() for name in columns), strict=True))
    found: list[Tick | None] = []
    for is_mine in is_read.tolist():
        if not is_mine:
            found.append(None)
            continue
        row = dict(zip(columns, next(rows), strict=True))
        found.append(
            Tick(
                source=SOURCE,
                symbol=SYMBOLS[row["code"]],
                session="ext" if row["is_ext"] else "regular",
                event_ms=row["event_ms"],
                fetched_ms=row["fetched_ms"],
                price=row["price"],
                day_volume=None if row["day_volume"] < 0 else row["day_volume"],
                **{
                    name: None if math.isnan(row[name]) else row[name]
                    for name in ("day_high", "day_low", "previous_close")
                },
            )
        )
    return found


TEXT = (
    '{"v":1,"kind":"tick","source":"simulator","event_ms":1795012200000,"fetched_ms":1795012200000,"symbol":"AAPL",%s}'
)


@given(st.lists(payloads.values.filter(lambda value: value is not None), max_size=8))
@example([(TEXT % '"price":0.1,"session":"regular"').encode()])
@example([(TEXT % '"price":01.5,"session":"regular"').encode()])
@example([(TEXT % '"price":1.,"session":"regular"').encode()])
@example([(TEXT % '"price":1.5e3,"session":"regular"').encode()])
@example([(TEXT % '"price":0.0,"session":"regular"').encode()])
@example([(TEXT % '"price":1.5,"day_volume":1.5,"session":"regular"').encode()])
@example([(TEXT % '"price":1.5,"session":"regular"').encode() + b"}"])
@example([(TEXT % '"price":1.5,"session":"regular"').encode()[:-1]])
@example([b'{"v":1,"kind":"tick","source":"simulator","event_ms":'])
@example([b""])
def test_what_is_read_is_what_the_contract_reads(values: list[bytes]) -> None:
    for value, tick in zip(values, read(values), strict=True):
        if tick is not None:
            assert tick == decode(value)


@given(
    st.builds(
        Tick,
        source=st.just(SOURCE),
        symbol=st.sampled_from(SYMBOLS),
        event_ms=st.integers(T0, UNTIL_MS - 1),
        fetched_ms=st.integers(UNTIL_MS, UNTIL_MS + 1000),
        price=st.decimals("0.0001", "999999999.9999", places=4).map(float),
        day_volume=st.none() | st.integers(0, 10**15 - 1),
        session=st.sampled_from(["regular", "ext"]),
        day_high=st.none() | st.decimals("0.01", "99999.99", places=2).map(float),
        day_low=st.none() | st.integers(1, 10**6).map(float),
        previous_close=st.none() | st.decimals("0.01", "9.99", places=2).map(float),
    )
)
def test_what_our_producers_write_is_read(tick: Tick) -> None:
    assert read([tick.encode()]) == [tick]


@pytest.mark.parametrize(
    ("change", "why"),
    [
        ({"symbol": "NVDA"}, "an unknown symbol"),
        ({"event_ms": UNTIL_MS}, "not before the horizon"),
        ({"event_ms": T0 - 2}, "before the oldest partition"),
        ({"fetched_ms": T0 + 100 * 86_400_000 + 1}, "a trade of long ago"),
        ({"event_ms": T0 + 60_001, "fetched_ms": T0}, "further ahead than a clock may run"),
        ({"day_high": 15.1}, "a jump"),
        ({"day_low": 0.149}, "a jump"),
        ({"previous_close": 15.1}, "a jump"),
        ({"price": 1e9}, "no price"),
        ({"day_low": -1.0}, "no price of a day"),
        ({"source": "yahoo"}, "another source"),
    ],
)
def test_what_the_platform_refuses_is_left_to_the_contract(change: dict[str, object], why: str) -> None:
    good = {"source": SOURCE, "symbol": "AAPL", "event_ms": T0, "fetched_ms": T0, "price": 1.5}
    bounds = Bounds(T0 - 1, UNTIL_MS, 10.0)
    assert read([Tick(**good, day_high=15.0, day_low=0.15).encode()], bounds) != [None]  # type: ignore[arg-type]
    assert read([Tick(**good | change).encode()], bounds) == [None], why  # type: ignore[arg-type]


@given(st.lists(NAMES, unique=True, max_size=50), NAMES)
def test_a_name_is_found_by_its_bytes(names: list[str], other: str) -> None:
    known = Known.of(names)
    for name in [*names, other]:
        data = np.frombuffer(name.encode(), np.uint8)
        found = code_of(data, 0, len(data), known.text, known.ends, known.slots)
        assert found == (names.index(name) if name in names else NOT_KNOWN)


def test_refusals_of_the_contract_are_none_of_ours() -> None:
    value = (TEXT % '"price":1.5,"session":"night"').encode()
    with pytest.raises(Rejected):
        decode(value)
    assert read([value]) == [None]
