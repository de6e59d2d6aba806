"""What the nightly run makes and deletes, and whose history a scheduled backfill fetches."""

from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from psycopg2.extensions import cursor

from dags.history import without_history
from dags.upkeep import MONTHS_AHEAD, delete_old_rows, make_partitions
from tests.stream.dashboard.rows import BAR, INSTRUMENT, insert

pytestmark = pytest.mark.stream

NOW = datetime.now(UTC)
LETTER_DAYS, REVISION_DAYS, LEDGER_DAYS = 90, 365, 730

Ask = Callable[..., list[tuple[Any, ...]]]


def letter(write: cursor, at: datetime) -> None:
    place = {"topic": "t", "topic_id": "id", "kafka_partition": 0, "kafka_offset": int(at.timestamp())}
    insert(write, "dead_letters", stage="stream", reason="not_json", detail="", symbol="", payload=b"x", content_hash="h",
           received_at=at, created_at=at, **place)  # fmt: skip


def revision(write: cursor, at: datetime) -> None:
    kept = {
        name: BAR[name]
        for name in ("symbol", "timeframe", "open", "high", "low", "close", "volume", "ticks", "is_final")
    }
    insert(write, "bar_revisions", **kept, source="s", inputs="", ts=at, revision=0, event_time=at, received_at=at,
           updated_at=at, superseded_at=at)  # fmt: skip


def evidence(write: cursor, at: datetime) -> None:
    """What the gap ledger is made of, and what was ordered and held against each other then."""
    day, whole = at.date(), f"{{[{at - timedelta(hours=1)},{at}]}}"
    insert(
        write, "gaps", symbol="AAPL", starts_at=at - timedelta(hours=1), ends_at=at, reason="no_trade", state="accepted"
    )
    insert(write, "coverage", symbol="AAPL", session_date=day, covered=whole, fetched_at=at)
    insert(write, "provider_trouble", kind="throttled", detail="", starts_at=at, ends_at=at)
    prices = dict.fromkeys(("open", "high", "low", "close"), 1.0)
    insert(write, "provider_days", symbol="AAPL", session_date=day, fetched_at=at, **prices)
    insert(
        write,
        "quarantine",
        symbol="AAPL",
        check_name="day",
        session_date=day,
        compared=3,
        disagreed=1,
        detail="",
        left_at=at,
    )
    insert(write, "control", service="spark", verb="restart", asked_by="a test", reason="", state="done", asked_at=at)


EVIDENCE = ("gaps", "coverage", "provider_trouble", "provider_days", "quarantine", "control")


def test_each_kind_of_row_is_kept_for_its_own_time(write: cursor, ask: Ask) -> None:
    for days, write_one in ((LETTER_DAYS, letter), (REVISION_DAYS, revision), (LEDGER_DAYS, evidence)):
        for off in (-2, 2):
            write_one(write, NOW - timedelta(days=days + off))
    insert(
        write, "gaps", symbol="AAPL", starts_at=NOW - timedelta(days=900), ends_at=NOW - timedelta(days=899), reason="r"
    )
    gone = delete_old_rows(LETTER_DAYS, REVISION_DAYS, LEDGER_DAYS)
    assert {name: count for name, count in gone.items() if count} == {
        "dead_letters": 1, "bar_revisions": 1, **dict.fromkeys(EVIDENCE, 1),
    }  # fmt: skip
    for table in ("dead_letters", "bar_revisions", *EVIDENCE):
        # Of the gaps an open one is never too old.
        assert ask(f"SELECT count(*) FROM core.{table}") == [(2 if table == "gaps" else 1,)], table  # noqa: S608


def test_partitions_are_there_for_the_coming_months_and_made_once(write: cursor, ask: Ask) -> None:
    made = make_partitions()
    assert make_partitions() == made | {"made": 0}
    last = "core.bars_" + ask("SELECT to_char(now() + make_interval(months => %s), 'YYYY_MM')", MONTHS_AHEAD)[0][0]
    names = {
        name
        for (name,) in ask("SELECT inhrelid::regclass::text FROM pg_inherits WHERE inhparent = 'core.bars'::regclass")
    }
    assert last in names
    assert len(names) == made["partitions_of_bars"]


def test_a_scheduled_backfill_is_for_whom_none_got_through(write: cursor, ask: Ask) -> None:
    assert without_history() is None, "before the first start has tracked anything: all"
    others = {"DONE": {"history_at": NOW}, "GONE": {"tracked": False}, "NOPE": {"state": "unknown"}}
    for symbol, values in {"LATE": {}, "NEW": {"state": "pending"}, **others}.items():
        insert(write, "instruments", **INSTRUMENT | {"symbol": symbol, **values})
    assert without_history() == ["LATE", "NEW"]
    ask("UPDATE core.instruments SET history_at = now()")
    assert without_history() == []
