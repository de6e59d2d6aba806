"""The job itself, against a real broker and a real database: one run of it, and symbols of its own for each test."""

from collections.abc import Iterator
from datetime import UTC, datetime

import pytest

from market.contracts import Bar, Tick
from market.topics import HISTORY
from stack.home import Home
from stack.parts.postgres import PostgresServer
from tests import embedded
from tests.stream import rig as rigs
from tests.stream.rig import Rig, until

pytestmark = pytest.mark.stream

SYMBOLS = ("CLOSED", "REFUSED", "FILLED")

MINUTE_MS = 60_000
# A Wednesday, 14:30 UTC.
T0 = int(datetime(2026, 11, 18, 14, 30, tzinfo=UTC).timestamp() * 1000)


def tick(symbol: str, ts_ms: int, price: float, day_volume: int) -> Tick:
    return Tick(
        source="simulator", symbol=symbol, event_ms=ts_ms, fetched_ms=ts_ms + 40, price=price, day_volume=day_volume
    )


def bar(symbol: str, ts_ms: int, ohlcv: tuple[float, float, float, float, float], *, is_complete: bool) -> Bar:
    o, h, low, c, v = ohlcv
    return Bar(
        source="simulator",
        symbol=symbol,
        event_ms=ts_ms,
        fetched_ms=ts_ms + 3 * MINUTE_MS,
        timeframe="1m",
        open=o,
        high=h,
        low=low,
        close=c,
        volume=v,
        session_date="2026-11-18",
        is_complete=is_complete,
    )


@pytest.fixture(scope="module")
def stream(
    postgres_server: PostgresServer, embedded_home: Home, kafka: str, spark_env: dict[str, str]
) -> Iterator[Rig]:
    database = embedded.fresh_database(postgres_server, embedded_home.pgpass)
    with rigs.rig(database, kafka, embedded.create_topics(kafka, "stream"), spark_env) as under_test:
        for symbol in SYMBOLS:
            under_test.add_instrument(symbol)
        under_test.start()
        yield under_test
    embedded.drop_database(database)


MINUTES = """SELECT open, high, low, close, volume, ticks, is_closed, is_final, revision FROM v1.bars
             WHERE symbol = %s AND timeframe = '1m' ORDER BY ts"""


def test_ticks_become_bars_that_close_by_the_clock_and_are_corrected_by_the_provider(stream: Rig) -> None:
    #   14:30            14:31            14:32
    #   | 10.00 10.50 9.90 | 10.10        |
    #   dv 100   150   180   200            clock 14:31:30, then 14:32:05
    for at_ms, price, volume in ((1_000, 10.00, 100), (20_000, 10.50, 150), (50_000, 9.90, 180), (61_000, 10.10, 200)):
        stream.send(tick("CLOSED", T0 + at_ms, price, volume))
    stream.clock(T0 + 90_000)
    stream.drain()
    assert stream.ask(MINUTES, ("CLOSED",)) == [
        (10.0, 10.5, 9.9, 9.9, 80.0, 3, True, False, 0),
        (10.1, 10.1, 10.1, 10.1, 20.0, 1, False, False, 0),
    ]
    assert stream.ask("SELECT price, day_volume, previous_close FROM v1.latest WHERE symbol = 'CLOSED'") == [
        (10.1, 200.0, None)
    ]

    stream.send(bar("CLOSED", T0, (10.0, 10.6, 9.9, 9.9, 185.0), is_complete=True))
    stream.clock(T0 + 125_000)
    stream.drain()
    assert stream.ask(MINUTES, ("CLOSED",)) == [
        (10.0, 10.6, 9.9, 9.9, 185.0, 3, True, True, 1),
        (10.1, 10.1, 10.1, 10.1, 20.0, 1, True, False, 0),
    ]
    revisions = (
        "SELECT revision, high, volume, superseded_at >= updated_at FROM v1.bar_revisions"
        " WHERE timeframe = '1m' AND symbol = 'CLOSED'"
    )
    assert stream.ask(revisions) == [(0, 10.5, 80.0, True)]
    assert stream.ask("SELECT high, volume, ticks FROM v1.bars WHERE timeframe = '1d' AND symbol = 'CLOSED'") == [
        (10.6, 205.0, 4)
    ]
    unknown = """SELECT b.timeframe, b.ts FROM v1.bars b LEFT JOIN v1.commits c ON c.began_at = b.updated_at
                 WHERE b.is_closed AND c.committed_at IS NULL"""
    until(lambda: not stream.ask(unknown), "when each closed bar was committed")
    assert stream.ask("SELECT count(*) > 0, bool_and(committed_at > began_at) FROM v1.commits") == [(True, True)]
    assert stream.ask("SELECT ticks, late, corrected FROM v1.quality WHERE symbol = 'CLOSED'") == [(4, 0, 1)]


def test_what_breaks_the_contract_is_a_dead_letter_and_stops_nothing(stream: Rig) -> None:
    stream.send(b"\xff\xfe", key="REFUSED")
    stream.send(b'{"v":1,"kind":"tick","source":"simulator","event_ms":1', key="REFUSED")
    stream.send(tick("NOPE", T0, 1.0, 1))
    stream.send(tick("REFUSED", T0, 10.0, 1))
    stream.drain()
    rows = stream.ask("SELECT reason, symbol, convert_from(payload, 'LATIN1') FROM v1.dead_letters ORDER BY reason")
    assert [row[:2] for row in rows] == [("not_json", ""), ("not_utf8", ""), ("unknown_symbol", "NOPE")]
    assert rows[1][2] == "\xff\xfe"
    assert len(stream.ask(MINUTES, ("REFUSED",))) == 1


def test_history_fills_in_before_live_bars_and_their_averages_follow(stream: Rig) -> None:
    stream.send(tick("FILLED", T0, 100.0, 10))
    stream.clock(T0 + 1_000)
    stream.drain()
    assert stream.ask("SELECT sma_20 FROM v1.indicators WHERE timeframe = '1m' AND symbol = 'FILLED'") == [(None,)]
    closes = [50.0 + k for k in range(30)]
    for k, close in enumerate(closes):
        ts = T0 - (30 - k) * MINUTE_MS
        stream.send(bar("FILLED", ts, (close, close, close, close, 5.0), is_complete=True), topic=HISTORY)
    stream.drain()
    newest = stream.ask(
        "SELECT sma_5, sma_20 FROM v1.indicators WHERE timeframe = '1m' AND symbol = 'FILLED' ORDER BY ts DESC LIMIT 1"
    )
    assert newest == [(sum([*closes[-4:], 100.0]) / 5, sum([*closes[-19:], 100.0]) / 20)]


def test_a_second_driver_is_told_to_stop_the_first(stream: Rig) -> None:
    until(lambda: stream.ask("SELECT 1 FROM v1.service_status WHERE name = 'spark'"), "the first driver's heartbeat")
    first = stream.process
    stream.start()
    assert stream.process is not None
    assert stream.process.wait(60) == 3
    stream.process = first
    assert "stop it first" in stream.logged("fenced")[0]["detail"]
