"""Refused records: found, edited and sent again, with the real stream as the judge."""

import json
import time

import pytest

from market.contracts import Tick
from tests.stream.ingestion.rig import Ingestion
from tests.stream.rig import Rig

pytestmark = pytest.mark.stream

MINUTE_MS = 60_000


@pytest.fixture
def replaying(stream: Rig) -> Ingestion:
    """Ingestion's commands on the stream's database and topics."""
    return Ingestion(stream.environment, stream.database, stream.bootstrap, stream.prefix, stream.log.parent)


def tick(at_ms: int, price: float, **fields: object) -> bytes:
    valid = Tick(source="simulator", event_ms=at_ms, fetched_ms=at_ms + 50, symbol="AAPL", price=1.0)
    return json.dumps({**json.loads(valid.encode()), "price": price, **fields}).encode()


def test_a_refused_tick_is_mended_and_replayed_once_and_one_that_fails_again_says_so(
    stream: Rig, replaying: Ingestion
) -> None:
    minute_ms = int(time.time() // 60 - 5) * MINUTE_MS
    stream.start()
    stream.send(tick(minute_ms, 100.0), "AAPL")
    stream.send(tick(minute_ms + 1_000, -1.0), "AAPL")
    stream.send(tick(minute_ms + 2_000, 102.0, symbol="GOOGL"), "GOOGL")
    stream.drain()
    letters = stream.ask("SELECT id, reason, state FROM v1.dead_letters ORDER BY id")
    assert [row[1:] for row in letters] == [("bad_price", "open"), ("unknown_symbol", "open")]
    first, second = letters[0][0], letters[1][0]

    exit_code, said, _ = replaying.run("dead-letters", "replay", str(first))
    assert (exit_code, "1 still wrong and not sent" in said) == (17, True), said
    assert replaying.run("dead-letters", "edit", str(first), "--set", "price=105.0", "--set", "fetched_ms=1")[0] == 0
    assert stream.ask("SELECT state FROM v1.dead_letters WHERE id = %s", (first,)) == [("edited",)]

    exit_code, summary, log = replaying.command("dead-letters", "replay", "--json", "--all")
    assert exit_code == 0, log
    assert (summary["sent"], summary["replayed"], summary["refused"], summary["skipped"]) == (1, 1, 1, 0)
    high = (
        "SELECT high, close, ticks, received_at = to_timestamp(%s / 1000.0) FROM v1.bars"
        " WHERE symbol = 'AAPL' AND timeframe = '1m' AND ts = to_timestamp(%s)"
    )
    expected = [(105.0, 105.0, 2, True)]
    assert stream.ask(high, (minute_ms + 1_050, minute_ms // 1000)) == expected

    # Once: what was taken is not sent again, and with --again nothing changes but the count of ticks.
    _, summary, _ = replaying.command("dead-letters", "replay", "--json", str(first))
    assert (summary["sent"], summary["skipped"]) == (0, 1)
    _, summary, _ = replaying.command("dead-letters", "replay", "--json", "--again", str(first))
    assert summary["replayed"] == 1
    assert [row[:2] for row in stream.ask(high, (0, minute_ms // 1000))] == [(105.0, 105.0)]

    # Valid by the contract and refused by the stream again, for it lies in the future: the letter says so.
    stream.add_instrument("GOOGL")
    state = "SELECT state, replays, replay_detail FROM v1.dead_letters WHERE id = %s"
    ahead_ms = minute_ms + 40 * 86_400_000
    edited = tick(ahead_ms, 102.0, symbol="GOOGL", fetched_ms=ahead_ms)
    stream.send(edited, "GOOGL")
    stream.drain()
    [(third,)] = stream.ask("SELECT max(id) FROM v1.dead_letters")
    _, summary, _ = replaying.command("dead-letters", "replay", "--json", str(third))
    assert (summary["sent"], summary["failed"]) == (1, 1)
    [(verdict, replays, detail)] = stream.ask(state, (third,))
    assert (verdict, replays, detail.partition(":")[0]) == ("failed", 1, "future")
    # Its echo is no second letter.
    assert stream.ask("SELECT count(*), count(replay_of) FROM v1.dead_letters") == [(4, 1)]

    _, summary, _ = replaying.command("dead-letters", "replay", "--json", "--mendable")
    assert (summary["letters"], summary["replayed"]) == (1, 1)
    assert stream.ask(state, (second,))[0][:2] == ("replayed", 2)
