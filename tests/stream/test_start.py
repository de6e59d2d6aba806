"""What the stream writes at its start: sessions as the calendars have them, and what a lost range of the log puts in doubt. And how
it ends."""

import os
import signal
import time
from collections.abc import Iterator
from datetime import UTC, date, datetime, timedelta

import psycopg2
import pytest
from psycopg2.extensions import connection as Connection

from market.batches import Instrument
from market.calendars import sessions
from spark_jobs import topics
from spark_jobs.database.ledger import Position, begin_partition, claim_epoch
from spark_jobs.start.rebuild import store_sessions
from tests.embedded import Database
from tests.stream.rig import Rig

pytestmark = pytest.mark.stream

TOKYO = Instrument("7203.T", "XTKS", 1, True)
TODAY = datetime.now(UTC).date()


@pytest.fixture
def connection(postgres: Database) -> Iterator[Connection]:
    made = psycopg2.connect(postgres.writer)
    yield made
    made.close()


def run(connection: Connection, statement: str, *parameters: object) -> list[tuple[object, ...]]:
    with connection, connection.cursor() as cursor:
        cursor.execute(statement, parameters)
        return cursor.fetchall() if cursor.description else []


def stored(connection: Connection) -> list[tuple[object, ...]]:
    return run(connection, "SELECT * FROM core.sessions ORDER BY session_date")


def test_sessions_that_a_calendar_has_otherwise_now_are_corrected_and_those_it_has_no_more_go(
    connection: Connection,
) -> None:
    store_sessions(connection, [TOKYO])
    as_known = stored(connection)
    first, last = TODAY - timedelta(days=100), TODAY + timedelta(days=10)
    some = sessions("XTKS", first, last)
    closed = next(d for k in range(100) if (d := first + timedelta(days=k)) not in {s.session_date for s in some})
    # An earlier calendar: it knew of no half-day, had a session on a day that is a holiday now, and lacked one. Another calendar's
    # sessions, and those of before what is kept, are nobody's business here.
    run(
        connection,
        "UPDATE core.sessions SET closes_at = closes_at + interval '1 hour', break_start = NULL WHERE session_date = %s",
        some[0].session_date,
    )
    run(connection, "DELETE FROM core.sessions WHERE session_date = %s", some[1].session_date)
    others = [("XTKS", closed), ("XTKS", date(1999, 1, 4)), ("XLON", closed)]
    for calendar, day in others:
        run(
            connection, "INSERT INTO core.sessions VALUES (%s, %s, %s, %s)", calendar, day, day, day + timedelta(days=1)
        )
    store_sessions(connection, [TOKYO])
    kept = [row for row in stored(connection) if (row[0], row[1]) not in others]
    assert kept == as_known
    left = {(row[0], row[1]) for row in stored(connection)} & set(others)
    assert left == set(others[1:])


def test_what_the_provider_said_since_the_last_commit_of_a_lost_topic_counts_as_not_asked_about(
    connection: Connection,
) -> None:
    epoch = claim_epoch(connection, "test")
    with connection, connection.cursor() as cursor:
        begin_partition(cursor, "c", epoch, 0, Position("t", "market.events.v1", 10))
        cursor.execute("UPDATE core.stream_offsets SET updated_at = now() - interval '10 minutes'")
    for symbol, minutes_ago in (("BEFORE", 30), ("SINCE", 5)):
        run(
            connection,
            "INSERT INTO core.coverage VALUES (%s, %s, tstzmultirange(tstzrange(now() - interval '1 day', now())),"
            " now() - make_interval(mins => %s))",
            symbol,
            TODAY,
            minutes_ago,
        )
        run(
            connection,
            "INSERT INTO core.session_ledger (symbol, session_date, expected, present, pending, no_trade, provider_gap, throttled,"
            " our_outage, unconfirmed, closed, is_settled) VALUES (%s, %s, 1, 1, 0, 0, 0, 0, 0, 0, 0, true)",
            symbol,
            TODAY,
        )
    with connection, connection.cursor() as cursor:
        topics.open_gap(cursor, "market.events.v1", "log_shorter", "")
    assert run(connection, "SELECT symbol FROM core.coverage") == [("BEFORE",)]
    settled = run(connection, "SELECT symbol, is_settled FROM v1.session_ledger ORDER BY symbol")
    assert settled == [("BEFORE", True), ("SINCE", False)]
    assert run(connection, "SELECT ends_at - starts_at BETWEEN '10 minutes' AND '12 minutes' FROM v1.gaps") == [(True,)]


def test_told_to_end_in_the_middle_of_the_market_it_ends_with_its_batch_and_without_an_error(stream: Rig) -> None:
    stream.start()
    stream.clock(time.time_ns() // 1_000_000)
    stream.drain()
    assert stream.process is not None
    # The leader alone, as the supervisor and Docker do it: that is the JVM.
    os.kill(stream.process.pid, signal.SIGTERM)
    for _ in range(200):
        stream.clock(time.time_ns() // 1_000_000)
        if stream.process.poll() is not None:
            break
        time.sleep(0.05)
    assert stream.process.wait(30) == 0
    stream.process = None
    assert [line for line in stream.log.read_text().splitlines() if '"ERROR"' in line or "Traceback" in line] == []
    assert stream.logged("stopped")
