"""The gap ledger with real parts: an outage, its repair, and the account that it leaves."""

import time

import pytest

from market.contracts import Bar, Tick
from market.topics import HISTORY
from tests.stream.ingestion.rig import Ingestion
from tests.stream.rig import Rig

pytestmark = pytest.mark.stream

DAY_MS = 86_400_000


def midnight_ms(days_ago: int) -> int:
    return (int(time.time() * 1000) // DAY_MS - days_ago) * DAY_MS


def first_bar(day_ms: int, timeframe: str = "1m") -> Bar:
    """The provider's complete row of a day, or of its first minute."""
    return Bar(
        source="simulator",
        event_ms=day_ms,
        fetched_ms=day_ms + DAY_MS,
        symbol="AAPL",
        timeframe=timeframe,
        **dict.fromkeys(("open", "high", "low", "close"), 100.0),
        volume=10.0,
        session_date=time.strftime("%Y-%m-%d", time.gmtime(day_ms / 1000)),
        is_complete=True,
    )


@pytest.fixture
def after_an_outage(stream: Rig, exchange: dict[str, str]) -> Ingestion:
    """AAPL with the first minute of yesterday and none since; the platform was down from then until ten minutes ago."""
    yesterday_ms = midnight_ms(1)
    stream.ask("UPDATE core.instruments SET tracked = symbol = 'AAPL', history_at = now()")
    stream.ask(
        "INSERT INTO core.gaps (starts_at, ends_at, reason)"
        " VALUES (to_timestamp(%s), now() - interval '10 minutes', 'feed outage')",
        (yesterday_ms / 1000 + 60,),
    )
    stream.start()
    stream.send(first_bar(yesterday_ms), topic=HISTORY)
    stream.drain()
    return Ingestion(stream.environment | exchange, stream.database, stream.bootstrap, stream.prefix, stream.log.parent)


def test_an_outage_is_found_repaired_and_accounted_for(stream: Rig, after_an_outage: Ingestion) -> None:
    exit_code, summary, log = after_an_outage.command("ledger")
    assert exit_code == 0, log
    assert summary["error"] == ""
    assert summary["missing"]["our_outage"] > 1_400
    # Two sessions in one request, since they lie within what the provider gives at once.
    assert summary["requests"] == 1
    assert summary["repaired"] > 1_400
    assert summary["still_open"] == 0

    [(expected, present, no_trade, repaired, settled, confirmed)] = stream.ask(
        "SELECT expected, present, no_trade, repaired, is_settled, confirmed FROM v1.session_ledger ORDER BY session_date LIMIT 1"
    )
    # Once more it is asked for three hours and a half after its end.
    assert (expected, settled) == (1_440, time.gmtime()[3:5] >= (3, 30))
    assert present + no_trade == 1_440
    assert confirmed == present
    assert repaired == present - 1
    states = dict(
        stream.ask("SELECT state, sum(minutes)::integer FROM v1.gaps WHERE session_date IS NOT NULL GROUP BY state")
    )
    assert set(states) <= {"repaired", "accepted"}
    # The last minutes are after the outage: nobody has asked about them yet.
    reasons = stream.ask("SELECT DISTINCT reason FROM v1.gaps WHERE state = 'repaired' ORDER BY 1")
    assert reasons == [("our_outage",), ("unconfirmed",)]
    # What the exchange has no minute of, it has none of: the bars in the table are all that it gives.
    scores = stream.ask(
        "SELECT completeness, validity, consistency, timeliness, score FROM v1.worst_quality() ORDER BY session_date"
    )
    completeness, validity, consistency, timeliness, score = scores[0]
    assert (completeness, validity, timeliness) == (100.0, 100.0, None)
    # The one minute that was there had a price of our own making: the last look puts the exchange's in its place, and it counts.
    assert 99.9 < consistency <= 100.0
    assert score > 99.9

    # Once more: of the session that is over nothing is left to ask for, and nothing changes.
    over = "SELECT id, state, reason, minutes FROM v1.gaps WHERE session_date = current_date - 1 ORDER BY id"
    before = stream.ask(over)
    exit_code, summary, _ = after_an_outage.command("ledger")
    assert (exit_code, summary["repaired"] < 60) == (0, True)
    assert stream.ask(over) == before
    exit_code, said, _ = after_an_outage.run("gaps")
    assert (exit_code, "our_outage" in said, "repaired" in said) == (0, True, True)


def test_minutes_that_ticks_alone_made_are_confirmed(stream: Rig, after_an_outage: Ingestion) -> None:
    # Three minutes of yesterday that were heard, and of which the provider was never asked; no poll reaches them any more.
    yesterday_ms = midnight_ms(1)
    for minute in (600, 601, 602):
        tick = Tick(
            source="simulator",
            event_ms=yesterday_ms + minute * 60_000 + 1_000,
            fetched_ms=yesterday_ms + minute * 60_000 + 1_100,
            symbol="AAPL",
            price=1.0,
            day_volume=minute,
        )
        stream.send(tick)
    stream.clock(yesterday_ms + 700 * 60_000)
    stream.drain()
    minutes = """SELECT count(*), max(close) FROM v1.bars WHERE symbol = 'AAPL' AND timeframe = '1m'
                 AND ts >= to_timestamp(%s) AND ts < to_timestamp(%s)"""
    heard = (yesterday_ms // 1000 + 36_000, yesterday_ms // 1000 + 36_180)
    assert stream.ask(minutes, heard) == [(3, 1.0)]
    exit_code, summary, log = after_an_outage.command("ledger")
    assert (exit_code, summary["still_open"]) == (0, 0), log
    [(_, close)] = stream.ask(minutes, heard)
    assert close > 1.0
    [(present, confirmed)] = stream.ask(
        "SELECT present, confirmed FROM v1.session_ledger ORDER BY session_date LIMIT 1"
    )
    assert confirmed == present


def test_a_day_with_a_volume_and_no_minute_is_a_hole_of_the_provider_and_no_holiday(
    stream: Rig, after_an_outage: Ingestion
) -> None:
    # Three days ago a minute. Two days ago the provider's daily row, and its word that it has no minute of it.
    stream.send(first_bar(midnight_ms(3)), topic=HISTORY)
    stream.send(first_bar(midnight_ms(2), "1d"), topic=HISTORY)
    stream.drain()
    stream.ask(
        "INSERT INTO core.coverage (symbol, session_date, covered, fetched_at, whole_at)"
        " SELECT 'AAPL', to_timestamp(%s)::date, tstzmultirange(tstzrange(to_timestamp(%s), to_timestamp(%s))), now(), now()",
        (midnight_ms(2) // 1000, midnight_ms(2) // 1000, midnight_ms(1) // 1000),
    )
    exit_code, _, log = after_an_outage.command("ledger")
    assert exit_code == 0, log
    [row] = stream.ask(
        "SELECT present, provider_gap, no_trade, closed FROM v1.session_ledger WHERE session_date = to_timestamp(%s)::date",
        (midnight_ms(2) // 1000,),
    )
    assert row == (0, 1_440, 0, 0)
    [(detail,)] = stream.ask("SELECT detail FROM v1.gaps WHERE reason = 'provider_gap'")
    assert detail == "the provider has a day of it with a volume of 10, and no minute"
