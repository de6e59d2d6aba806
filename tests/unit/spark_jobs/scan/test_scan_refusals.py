"""What the scan refuses by its bounds, and what a bad record does to its neighbours."""

import pyarrow as pa
import pytest

from market.contracts import Tick
from market.errors import Reason
from spark_jobs.scan.bounds import EVERYTHING, Bounds
from spark_jobs.scan.decode import TICK as TICK_SHAPE
from spark_jobs.scan.decode import split
from tests.unit.spark_jobs.scan.payloads import SOURCE, T0
from tests.unit.spark_jobs.scan.test_scan import TICK, bar, batch_of, rejects, scanned

pytestmark = pytest.mark.unit


def jumping(high: float, low: float, timeframe: str = "1m") -> bytes:
    return bar(high=high, low=low, open=low, close=high, timeframe=timeframe).encode()


def priced(field: str, value: float) -> bytes:
    return (TICK % b"").replace(b"}", b',"%s":%r}' % (field.encode(), value))


def test_a_price_may_differ_by_a_factor_from_those_that_came_with_it_and_no_more() -> None:
    fields = ("day_high", "day_low", "previous_close")
    # 1.5 is the tick's price; a producer that writes spaces goes another way, and a third is the contract's own.
    good = [priced(field, price) for field in fields for price in (15.0, 0.15)] + [jumping(20.0, 2.0)]
    bad = [priced(field, price) for field in fields for price in (15.01, 0.149)] + [jumping(20.1, 2.0)]
    # A week or a month may do it honestly.
    good += [jumping(99.0, 1.0, "1w"), jumping(99.0, 1.0, "1mo")]
    for write in (bytes, lambda text: text.replace(b",", b", "), lambda text: text.replace(b"}", b',"more":1}')):
        for bounds, expected in ((Bounds(max_jump=10.0), Reason.PRICE_JUMP.value), (EVERYTHING, None)):
            found = rejects(scanned([batch_of([write(text) for text in good + bad])], bounds=bounds))
            assert found == ({} if expected is None else dict.fromkeys(range(len(good), len(good + bad)), expected))


def test_a_refused_record_has_its_time_of_receipt_wherever_that_can_be_read() -> None:
    whole = TICK % b""
    values = [
        whole[:-9],
        b"\xff" + whole,
        whole.replace(b'"v":1', b'"v":2'),
        b"nonsense",
        whole.replace(b"fetched", b"got"),
    ]
    rows = scanned([batch_of(values)])
    assert [row["received_ms"] for row in rows if row["row"] == "reject"] == [T0, T0, T0, None, None]


@pytest.mark.parametrize("spoiler", [b',"extra":1}', b',"price":Inf}', b',"source":"\xff"}'])
def test_a_bad_record_spoils_no_more_than_its_neighbours(spoiler: bytes) -> None:
    """A producer that adds a field must not make every record of a backlog go the slow way."""
    values = [
        Tick(source=SOURCE, symbol="AAPL", event_ms=T0 + k, fetched_ms=T0 + k, price=100.0 + k, day_volume=k).encode()
        for k in range(5000)
    ]
    values[1234] = values[1234][:-1] + spoiler
    mask, table = split(pa.array(values, pa.binary()), TICK_SHAPE)
    assert table is not None
    assert not mask[1234]
    assert mask.sum() == table.num_rows >= 5000 - 64
    assert table["price"].to_pylist() == [100.0 + k for k in range(5000) if mask[k]]
