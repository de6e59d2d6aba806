"""What bad input gets: a dead letter that holds what came, and a way back."""

import json
from datetime import UTC, datetime

import pytest

from market.topics import HISTORY
from tests.stream.rig import Rig
from tests.stream.test_stream import MINUTE_MS, bar

pytestmark = pytest.mark.stream

# A Wednesday; New York closes at 21:00 UTC.
CLOSE_MS = int(datetime(2026, 11, 18, 21, 0, tzinfo=UTC).timestamp() * 1000)


def as_another_writes_it(payload: bytes) -> bytes:
    """The same record with another order, other spaces and a field that the platform does not know."""
    return json.dumps(dict(reversed(json.loads(payload).items())) | {"exchange": "NYQ"}, indent=1).encode()


def test_a_bar_that_only_the_calendar_refuses_keeps_its_bytes_and_its_place(stream: Rig) -> None:
    #   0      1 .. 3        4
    #   a bar | after hours | a bar, so that the refused ones lie between records that are kept
    stream.add_instrument("IBM", "XNYS")
    flat = (10.0, 10.0, 10.0, 10.0, 5.0)
    hours = [bar("IBM", CLOSE_MS + k * 60 * MINUTE_MS, flat, is_complete=True) for k in (-1, 0, 1, 2, -2)]
    written = [as_another_writes_it(record.encode().replace(b'"1m"', b'"1h"')) for record in hours]
    for payload in written:
        stream.send(payload, "IBM", HISTORY)
    stream.start()
    stream.drain()
    rows = stream.ask(
        """SELECT reason, payload, topic, kafka_offset, encode(sha256(payload), 'hex') = content_hash, detail, received_at
           FROM v1.dead_letters ORDER BY kafka_offset"""
    )
    assert [bytes(row[1]) for row in rows] == written[1:4]
    assert [row[:1] + row[2:5] for row in rows] == [("misaligned", HISTORY.name, k, True) for k in (1, 2, 3)]
    assert all("outside of its session's hours" in row[5] and "anew" not in row[5] for row in rows)
    assert [row[6].timestamp() * 1000 for row in rows] == [record.fetched_ms for record in hours[1:4]]
    assert stream.ask("SELECT count(*) FROM v1.bars WHERE symbol = 'IBM' AND timeframe = '1h'") == [(2,)]
