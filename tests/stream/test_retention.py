"""What upkeep deletes, and that `seen` stands for as long as revisions are kept."""

import random
from collections.abc import Iterator
from datetime import datetime, timedelta
from typing import Any

import psycopg2
import pytest
from psycopg2.extensions import connection as Connection

from tests.embedded import Database
from tests.stream.dashboard.rows import BAR, INSTRUMENT, insert

pytestmark = pytest.mark.stream

KEPT_DAYS = 30
SEEN = "SELECT ts, close, revision, known_since, superseded_at FROM v1.bars_as_of('AAPL', '1m', %s, 'seen') ORDER BY ts"


@pytest.fixture
def write(postgres: Database) -> Iterator[Connection]:
    connection = psycopg2.connect(postgres.writer)
    yield connection
    connection.close()


def ask(connection: Connection, query: str, *values: Any) -> list[tuple[Any, ...]]:
    with connection, connection.cursor() as cursor:
        cursor.execute(query, values)
        return cursor.fetchall()


def corrected_minutes(write: Connection, first: datetime, edge: datetime) -> list[datetime]:
    """Five minutes, each corrected again and again by transactions that run for seconds, one of them over `edge`.

    Gives the times at which they began and ended, and some between.
    """
    chance, now, times = random.Random(5), first, []
    since = {k: (first - timedelta(hours=1), 100.0, 0) for k in range(5)}
    with write, write.cursor() as cursor:
        insert(cursor, "instruments", **INSTRUMENT)
        while now < edge + timedelta(days=2):
            began, k = now, chance.randrange(5)
            is_over_edge = began < edge <= began + timedelta(hours=2)
            ended = edge + timedelta(minutes=9) if is_over_edge else began + timedelta(seconds=chance.randrange(1, 90))
            known_since, close, revision = since[k]
            names = ("open", "high", "low", "close")
            ts = first - timedelta(hours=2) + timedelta(minutes=k)
            kept = {
                name: BAR[name] for name in ("symbol", "timeframe", "volume", "ticks", "is_final", "source", "inputs")
            }
            insert(
                cursor, "bar_revisions", **kept, **dict.fromkeys(names, close), ts=ts, revision=revision, event_time=ts,
                received_at=ts, updated_at=known_since, superseded_at=began,
            )  # fmt: skip
            since[k] = (began, close + 1, revision + 1)
            insert(cursor, "commits", began_at=began, committed_at=ended)
            times += [began, began + (ended - began) / 2, ended, ended + timedelta(seconds=1)]
            now = ended + timedelta(hours=chance.randrange(1, 3))
        for k, (known_since, close, revision) in since.items():
            ts = first - timedelta(hours=2) + timedelta(minutes=k)
            values = BAR | dict.fromkeys(("open", "high", "low", "close", "mean_price"), close) | {"revision": revision}
            insert(
                cursor, "bars", **values, ts=ts, bar_end=ts + timedelta(minutes=1), session_date=ts.date(), event_time=ts,
                received_at=ts, updated_at=known_since,
            )  # fmt: skip
    return times


def test_commits_go_with_the_revisions_that_they_order_and_seen_stands_as_long_as_these_are_kept(
    write: Connection,
) -> None:
    # The transaction that ran over the edge began on its far side and ended, as its rows were seen, on this one.
    [(edge,)] = ask(write, "SELECT now() - make_interval(days => %s) + interval '2 minutes'", KEPT_DAYS)
    times = corrected_minutes(write, edge - timedelta(days=2), edge)
    within = [at for at in [edge + timedelta(minutes=k) for k in range(12)] + times if at > edge]
    before = {at: ask(write, SEEN, at) for at in within}
    assert len({tuple(rows) for rows in before.values()}) > 20
    [(commits, revisions)] = ask(
        write, "SELECT (SELECT count(*) FROM core.commits), (SELECT count(*) FROM core.bar_revisions)"
    )

    [(gone,)] = ask(write, "SELECT core.tidy(30, %s, 180)", KEPT_DAYS)
    assert 10 < gone["commits"] < commits - 10
    assert 10 < gone["bar_revisions"] < revisions - 10
    assert {at: ask(write, SEEN, at) for at in within} == before
    edges = ask(write, "SELECT min(committed_at) > now() - make_interval(days => %s) FROM core.commits", KEPT_DAYS)
    assert edges == [(True,)], "none is kept that no time within reach asks for"


@pytest.mark.parametrize(
    ("detached", "first"),
    [
        ([], None),
        (["history"], 1),  # the oldest month that is attached is only read
        (["history", "0"], 2),
        (["1"], 3),  # nothing is taken from before a month that is missing
    ],
)
@pytest.mark.parametrize("tables", [["bars", "indicators"], ["indicators"]])
def test_bars_are_taken_from_the_month_after_the_oldest_attached_one(
    postgres: Database, tables: list[str], detached: list[str], first: int | None
) -> None:
    admin = psycopg2.connect(postgres.admin)
    months = [
        row[0]
        for row in ask(
            admin, "SELECT date_trunc('month', now(), 'UTC') + make_interval(months => k) FROM generate_series(-2, 3) k"
        )
    ]
    with admin, admin.cursor() as cursor:
        for table in tables:
            for name in detached:
                part = name if name == "history" else months[int(name)].strftime("%Y_%m")
                cursor.execute(f"ALTER TABLE core.{table} DETACH PARTITION core.{table}_{part}")
    [(taken_from,)] = ask(admin, "SELECT nullif(core.written_from(), '-infinity')")
    admin.close()
    assert taken_from == (None if first is None else months[first])
