"""What `stream_check` sees of a platform, the restart that it orders, and what of missed deadlines is told for how long."""

from collections.abc import Callable
from types import SimpleNamespace
from typing import Any

import pytest
from psycopg2.extensions import cursor

from dags import deadlines
from dags.checks import ORDER_AGAIN_AFTER_S, Complaint, complaint, order_restart, read
from stack.report.words import task_words
from stack.supervision import orders
from tests.embedded import Database
from tests.stream.dashboard.rows import insert

pytestmark = pytest.mark.stream

STANDS_STILL = Complaint("spark", "the stream's last commit was 700 s ago", restart_helps=True)

Ask = Callable[..., list[tuple[Any, ...]]]


def partition(
    ask: Ask, number: int, age_s: float, behind_s: float | None, topic_id: str = "new", topic: str = ""
) -> None:
    """A row of the stream's ledger; `behind_s` None: it has met no clock."""
    ask(
        "INSERT INTO core.stream_offsets (query, cluster_id, topic_id, partition, topic, next_offset, epoch, updated_at, clock_ms)"
        " VALUES ('stream', 'c', %s, %s, %s, 7, 1, now() - make_interval(secs => %s),"
        " coalesce((extract(epoch FROM now() - make_interval(secs => %s)) * 1000)::bigint, 0))",
        topic_id, number, topic or "market.events.v1", age_s, behind_s,
    )  # fmt: skip


def test_the_oldest_commit_and_the_clock_that_is_furthest_behind_are_seen(
    postgres: Database, write: cursor, ask: Ask
) -> None:
    for name, detail in (("spark", "batch 7"), ("ingestion", "5 symbols")):
        insert(write, "service_status", name=name, state="ok", detail=detail)
    partition(ask, 0, 1, 3)
    partition(ask, 1, 400, 8)
    # Backfills come now and then: their topic says nothing.
    partition(ask, 0, 90_000, None, topic_id="history", topic="market.history.v1")
    seen = read(postgres.writer)
    assert {name: entry[:2] for name, entry in seen.services.items()} == {
        "spark": ("ok", "batch 7"),
        "ingestion": ("ok", "5 symbols"),
    }
    assert (seen.offsets_age_s, seen.behind_s) == (pytest.approx(400, abs=5), pytest.approx(8, abs=5))
    wrong = complaint(seen)
    assert wrong is not None
    assert (wrong.service, wrong.restart_helps) == ("spark", True)


def test_what_a_topic_left_behind_that_was_made_anew_is_no_stream_that_stands_still(
    postgres: Database, ask: Ask
) -> None:
    for number in (0, 1):
        partition(ask, number, 86_400, 86_400, topic_id="old")
        partition(ask, number, 1, 2)
    seen = read(postgres.writer)
    assert (seen.offsets_age_s, seen.behind_s) == (pytest.approx(1, abs=5), pytest.approx(2, abs=5))


def test_a_partition_that_has_met_no_clock_is_not_half_a_century_behind(postgres: Database, ask: Ask) -> None:
    partition(ask, 0, 1, None)
    assert read(postgres.writer).behind_s is None
    partition(ask, 1, 1, 4)
    assert read(postgres.writer).behind_s == pytest.approx(4, abs=5)


def test_a_platform_that_has_committed_nothing_has_no_age(postgres: Database, write: cursor) -> None:
    seen = read(postgres.writer)
    assert (seen.services, seen.offsets_age_s, seen.behind_s) == ({}, None, None)


def test_a_restart_is_ordered_once_obeyed_once_and_not_repeated_at_once(postgres: Database, ask: Ask) -> None:
    assert order_restart(postgres.writer, STANDS_STILL)
    assert not order_restart(postgres.writer, STANDS_STILL)
    # Of another service somebody may order one.
    assert order_restart(postgres.writer, Complaint("ingestion", "it is silent", restart_helps=True))
    taken = ask(orders.TAKE)
    assert sorted(row[1:] for row in taken) == [
        ("ingestion", "it is silent", "done"),
        ("spark", STANDS_STILL.sentence, "done"),
    ]
    assert ask(orders.TAKE) == []
    assert not order_restart(postgres.writer, STANDS_STILL)
    ask("UPDATE core.control SET asked_at = now() - make_interval(secs => %s)", ORDER_AGAIN_AFTER_S + 1)
    assert order_restart(postgres.writer, STANDS_STILL)
    assert ask("SELECT DISTINCT asked_by, verb FROM v1.control") == [("airflow stream_check", "restart")]


def test_an_order_that_nobody_took_in_time_expires(postgres: Database, ask: Ask) -> None:
    order_restart(postgres.writer, STANDS_STILL)
    ask("UPDATE core.control SET asked_at = now() - make_interval(secs => %s)", orders.EXPIRES_S + 1)
    assert [state for *_, state in ask(orders.TAKE)] == ["expired"]
    assert ask("SELECT state, settled_at IS NOT NULL FROM v1.control") == [("expired", True)]


def test_an_order_that_failed_says_why(postgres: Database, ask: Ask) -> None:
    order_restart(postgres.writer, STANDS_STILL)
    [(identity, *_)] = ask(orders.TAKE)
    ask(orders.FAILED, "spark does not start", identity)
    assert ask("SELECT state, detail FROM v1.control") == [("failed", "spark does not start")]


@pytest.mark.parametrize("run", [{"dag_id": "poll"}, type("Run", (), {"dag_id": "poll"})()])
def test_a_missed_deadline_is_told_for_a_quarter_of_an_hour(postgres: Database, ask: Ask, run: Any) -> None:
    told = "SELECT state, detail FROM v1.service_status WHERE name = 'deadlines'"
    deadlines.missed({"dag_run": run}, seconds=1_200)
    late = [("waiting", "poll was not done 1200 s after it was queued: see its log in Airflow")]
    assert ask(told) == late
    deadlines.forget(postgres.writer)
    assert ask(told) == late
    ask("UPDATE core.service_status SET heartbeat_at = now() - interval '16 minutes'")
    deadlines.forget(postgres.writer)
    [(state, detail)] = ask(told)
    assert (state, "no run missed its deadline" in detail) == ("ok", True)
    # And again, when there is another.
    deadlines.missed({"dag_run": run}, seconds=1_200)
    assert ask(told) == late


def test_what_tasks_said_is_in_status_with_its_age_and_in_its_order(
    postgres: Database, write: cursor, ask: Ask
) -> None:
    pace, quarantined = "500 symbols: each confirmed every 9 minutes", "3 sessions; in quarantine: AAPL (day)"
    for name, detail in (("gaps", quarantined), ("poll", pace), ("ingestion", "a service, which says it elsewhere")):
        insert(write, "service_status", name=name, state="ok", detail=detail)
    ask("UPDATE core.service_status SET heartbeat_at = now() - interval '4 minutes'")
    platform: Any = SimpleNamespace(reader_dsn={"dsn": postgres.reader})
    told = task_words(platform)
    assert [(name, task["state"], task["detail"]) for name, task in told.items()] == [
        ("poll", "silent", pace),
        ("gaps", "ok", quarantined),
    ]
    assert all(240 <= task["age_s"] < 300 for task in told.values())
    platform.reader_dsn = {"dsn": "postgresql://nobody@127.0.0.1:9/none"}
    assert task_words(platform) == {}
