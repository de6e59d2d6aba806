"""What bad input gets: a dead letter that holds what came, and a way back."""

import argparse
import json
import re
import time
import urllib.request
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
from rich.console import Console

from ingestion.database import Database
from ingestion.dead_letters import commands as letter_commands
from ingestion.dead_letters import letters
from market.contracts import MAX_RECORD_BYTES
from market.errors import Reason
from market.topics import EVENTS, HISTORY, Topic
from stack.ports import free_port
from tests.stream.ingestion.rig import Ingestion
from tests.stream.rig import Rig, until
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


Body = dict[str, Any]
# Two hours ago: each case has a minute of its own, whatever it is wrong by.
FIRST_MS = int(time.time() // 60 - 120) * MINUTE_MS


@dataclass(frozen=True)
class Case:
    """What is wrong by one thing, and why it is refused. `spoilt` makes bytes of the right record's body."""

    name: str
    reason: Reason
    spoilt: Callable[[Body], bytes]
    kind: str = "tick"

    @property
    def topic(self) -> Topic:
        return EVENTS if self.kind == "tick" else HISTORY


def written(body: Body) -> bytes:
    return json.dumps(body, separators=(",", ":")).encode()


def with_(**fields: Any) -> Callable[[Body], bytes]:
    return lambda body: written({**body, **fields})


def without(name: str) -> Callable[[Body], bytes]:
    return lambda body: written({key: value for key, value in body.items() if key != name})


CASES = [
    Case("NaN", Reason.BAD_PRICE, with_(price=float("nan"))),
    Case("infinite", Reason.BAD_PRICE, with_(price=float("inf"))),
    Case("negative", Reason.BAD_PRICE, with_(price=-1.0)),
    Case("zero", Reason.BAD_PRICE, with_(price=0.0)),
    Case("a bar's NaN", Reason.BAD_PRICE, with_(low=float("nan")), "bar"),
    Case("a bar's zero", Reason.BAD_PRICE, with_(low=0.0), "bar"),
    Case("a jump from the previous close", Reason.PRICE_JUMP, with_(previous_close=0.01)),
    Case("a jump over the day's high", Reason.PRICE_JUMP, with_(day_high=0.5)),
    Case("a bar's jump", Reason.PRICE_JUMP, with_(high=5_000.0), "bar"),
    Case("future", Reason.FUTURE, lambda body: written(body | {"event_ms": body["event_ms"] + 10 * MINUTE_MS})),
    Case("seconds", Reason.TOO_OLD, lambda body: written(body | {"event_ms": body["event_ms"] // 1000})),
    Case("the epoch", Reason.TOO_OLD, with_(event_ms=0)),
    Case("nanoseconds", Reason.BAD_TIME, lambda body: written(body | {"event_ms": body["event_ms"] * 1_000_000})),
    Case("before the oldest partition", Reason.TOO_OLD, with_(event_ms=978_307_200_000, session_date="2001-01-01"), "bar"),
    Case("an unknown symbol", Reason.UNKNOWN_SYMBOL, with_(symbol="NOPE")),
    Case("another version", Reason.WRONG_VERSION, with_(v=2)),
    Case("oversized", Reason.OVERSIZED, with_(pad="x" * MAX_RECORD_BYTES)),
    Case("not UTF-8", Reason.NOT_UTF8, lambda body: written(body).replace(b"AAPL", b"AAP\xff")),
    Case("truncated", Reason.NOT_JSON, lambda body: written(body)[:-12]),
    Case("a truncated bar", Reason.NOT_JSON, lambda body: written(body)[:-12], "bar"),
    Case("a kind that is none", Reason.UNKNOWN_KIND, with_(kind="trade")),
    Case("without a price", Reason.MISSING_FIELD, without("price")),
    Case("a price as text", Reason.WRONG_TYPE, with_(price="10.5")),
    Case("another frame", Reason.UNKNOWN_TIMEFRAME, with_(timeframe="7m"), "bar"),
    Case("a volume below nothing", Reason.BAD_VOLUME, with_(day_volume=-5)),
    Case("a low above the high", Reason.BAD_RANGE, with_(low=11.0, high=10.0, open=10.0, close=10.0), "bar"),
    Case("not on a minute", Reason.MISALIGNED, lambda body: written(body | {"event_ms": body["event_ms"] + 1}), "bar"),
    Case("another source", Reason.WRONG_SOURCE, with_(source="yahoo")),
]  # fmt: skip


def right(number: int, case: Case) -> Body:
    """The record as it should have been: in the minute of its number, at a price of its own."""
    at_ms, price = FIRST_MS + number * MINUTE_MS, 10.0 + number / 100
    if case.kind == "tick":
        return {
            "v": 1, "kind": "tick", "source": "simulator", "event_ms": at_ms + 7, "fetched_ms": at_ms + 57, "symbol": "AAPL",
            "price": price, "session": "regular",
        }  # fmt: skip
    return {
        "v": 1, "kind": "bar", "source": "simulator", "event_ms": at_ms, "fetched_ms": at_ms + 3 * MINUTE_MS, "symbol": "AAPL",
        "timeframe": "1m", "open": price, "high": price, "low": price, "close": price, "volume": 1.0, "session": "regular",
        "session_date": datetime.fromtimestamp(at_ms / 1000, UTC).date().isoformat(), "is_complete": True,
    }  # fmt: skip


def counted(port: int) -> dict[str, int]:
    """The stream's counter of refused records, by reason."""
    with urllib.request.urlopen(f"http://127.0.0.1:{port}/metrics") as answer:
        text = answer.read().decode()
    found = re.findall(r'candlestream_stream_rejected_total{reason="(\w+)"} (\d+)', text)
    return {reason: int(count) for reason, count in found}


def test_everything_that_can_be_wrong_is_kept_counted_and_mended_with_its_first_receipt(
    stream: Rig, tmp_path: Path
) -> None:
    assert {case.reason for case in CASES} == set(Reason), "every reason has a record here"
    for table in ("bars", "indicators"):
        stream.ask(f"ALTER TABLE core.{table} DETACH PARTITION core.{table}_history")
    port = free_port()
    stream.environment["CANDLESTREAM_METRICS_PORT"] = str(port)
    bodies = [right(number, case) for number, case in enumerate(CASES)]
    sent = [case.spoilt(body) for case, body in zip(CASES, bodies, strict=True)]
    for case, payload in zip(CASES, sent, strict=True):
        stream.send(payload, "AAPL", case.topic)
    stream.send(written(right(len(CASES), CASES[0])), "AAPL")
    stream.start()
    stream.drain()
    last = "SELECT close FROM v1.bars WHERE timeframe = '1m'"
    assert stream.ask(last) == [(10.0 + len(CASES) / 100,)], (
        "the stream went on, and nothing that was wrong became a bar"
    )

    database = Database(stream.database.writer)
    by_payload = {letter.payload: letter for letter in letters.find(database, letters.Which())}
    assert len(by_payload) == len(CASES)
    for case, payload, body in zip(CASES, sent, bodies, strict=True):
        letter = by_payload[payload]
        assert (letter.reason, letter.stage, letter.topic) == (case.reason, "stream", case.topic.name), case.name
        assert letter.fetched_ms == body["fetched_ms"], case.name
    assert counted(port) == Counter(case.reason.value for case in CASES)
    named = Counter(letter.symbol for letter in by_payload.values())
    assert named["AAPL"] == len(CASES) - named[""] - 1
    in_scores = "SELECT symbol, sum(dead_lettered) FROM v1.quality GROUP BY symbol"
    assert stream.ask(in_scores) == [("AAPL", named["AAPL"])]
    assert stream.ask("SELECT letters, of_no_symbol FROM v1.refused") == [(len(CASES), named[""] + named["NOPE"])]

    # A person writes the record anew, and does not know when it came.
    stream.add_instrument("NOPE")
    for number, (case, payload, body) in enumerate(zip(CASES, sent, bodies, strict=True)):
        path = tmp_path / f"{number}.json"
        path.write_text(json.dumps(body | {"fetched_ms": 1}))
        if case.reason != Reason.UNKNOWN_SYMBOL:
            edited = argparse.Namespace(set=None, file=path)
            letter_commands.edit(database, by_payload[payload], payload, edited, Console(quiet=True))
    ingestion = Ingestion(stream.environment, stream.database, stream.bootstrap, stream.prefix, tmp_path)
    _, summary, log = ingestion.command("dead-letters", "replay", "--json", "--all")
    assert (summary["sent"], summary["refused"], summary["failed"]) == (len(CASES), 0, 0), log
    stream.drain()
    states = "SELECT DISTINCT state FROM v1.dead_letters"
    until(lambda: stream.ask(states) == [("replayed",)], "the stream's word about each")
    rows = stream.ask(
        """SELECT (extract(epoch FROM ts) * 1000)::bigint, symbol, close, (extract(epoch FROM received_at) * 1000)::bigint
           FROM v1.bars WHERE timeframe = '1m' ORDER BY ts"""
    )
    assert rows[:-1] == [
        (
            FIRST_MS + number * MINUTE_MS,
            "NOPE" if case.reason == Reason.UNKNOWN_SYMBOL else "AAPL",
            10.0 + number / 100,
            body["fetched_ms"],
        )
        for number, (case, body) in enumerate(zip(CASES, bodies, strict=True))
    ]
    assert {bytes(payload) for (payload,) in stream.ask("SELECT payload FROM v1.dead_letters")} == set(sent)
