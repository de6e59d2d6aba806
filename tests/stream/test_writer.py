"""How rows come into the tables: copied where they are new, staged and merged where they are not."""

from collections.abc import Iterator
from dataclasses import replace

import numpy as np
import psycopg2
import pytest
from psycopg2.extensions import connection as Connection
from structlog.testing import capture_logs

from market.batches import BarChanges, Batch, Changes
from spark_jobs.batch import Scanned
from spark_jobs.database import ledger, statements, writer
from spark_jobs.database.writer import Writer
from tests.embedded import Database
from tests.stream.test_restart import minutes
from tests.unit.market.folds import Fold

pytestmark = pytest.mark.stream

TABLES = (
    "SELECT * FROM core.bars ORDER BY symbol, timeframe, ts",
    "SELECT * FROM core.indicators ORDER BY symbol, timeframe, ts",
)


@pytest.fixture
def connection(postgres: Database, monkeypatch: pytest.MonkeyPatch) -> Iterator[Connection]:
    monkeypatch.setattr(writer, "COPIED_FROM", 20)
    made = psycopg2.connect(postgres.writer)
    yield made
    made.close()


def write(connection: Connection, changes: BarChanges) -> int:
    """Writes in a transaction of its own; gives how many rows were staged."""
    with connection, connection.cursor() as cursor:
        Writer(connection, "simulator").write_series(cursor, changes)
        cursor.execute("SELECT count(*) FROM pg_temp.stage")
        (staged,) = cursor.fetchone() or (0,)
    return int(staged)


def rows(connection: Connection) -> list[list[tuple[object, ...]]]:
    """Both tables, without the time of their commits."""
    found = []
    with connection, connection.cursor() as cursor:
        for query in TABLES:
            cursor.execute(query)
            names = [column.name for column in cursor.description or ()]
            kept = [k for k, name in enumerate(names) if name != "updated_at"]
            found.append([tuple(row[k] for k in kept) for row in cursor.fetchall()])
    return found


def test_new_rows_are_copied_and_the_others_merged(connection: Connection) -> None:
    Writer(connection, "simulator").prepare()
    fold = Fold()
    first, second = fold.step(minutes(0, 90)).series, fold.step(minutes(60, 60)).series
    assert first.is_new.all()
    assert write(connection, first) == 0
    # Thirty minutes corrected, thirty new; and frames of both kinds.
    assert write(connection, second) == np.count_nonzero(~second.is_new) > 30
    bars, _ = rows(connection)
    assert len(bars) == sum(map(len, fold.store.rows.values()))


def test_rows_that_were_there_after_all_are_merged_like_any(postgres: Database, connection: Connection) -> None:
    Writer(connection, "simulator").prepare()
    changes = Fold().step(minutes(0, 90)).series
    one = changes.take(np.array([40]))
    write(connection, replace(one, is_new=np.zeros(1, bool)))
    with capture_logs() as logged:
        assert write(connection, changes) == len(changes)
    assert [entry["event"] for entry in logged] == ["new_rows_were_there"]
    merged = rows(connection)
    with psycopg2.connect(postgres.admin) as admin, admin.cursor() as cursor:
        cursor.execute("TRUNCATE core.bars, core.indicators")
    admin.close()
    assert write(connection, changes) == 0
    assert rows(connection) == merged


def reject(offset: int, symbol: str, day: int | None) -> dict[str, object]:
    return {
        "topic": 1, "partition": 0, "first_offset": offset, "symbol": symbol, "stage": "ingestion", "reason": "bad_price",
        "detail": "close=-1", "payload": b"%d" % offset, "content_hash": str(offset), "received_ms": 1, "day": day,
    }  # fmt: skip


def test_what_was_refused_lowers_the_validity_of_its_own_session_once(connection: Connection) -> None:
    under_test = Writer(connection, "simulator")
    under_test.prepare()
    #  today is the 20,000th day since 1970, 2024-10-04
    sent = [
        reject(0, "AAPL", 19_990), reject(1, "AAPL", 19_990), reject(2, "MSFT", 19_990),
        reject(3, "AAPL", None), reject(4, "AAPL", 30_000), reject(5, "", None),
    ]  # fmt: skip
    positions = {(1, 0): ledger.Position("id", "market.history.v1", 6)}
    for rejects in (sent, sent[:2]):
        with connection, connection.cursor() as cursor:
            under_test.write(cursor, Changes(), Scanned(Batch(), rejects=rejects), positions, 20_000 * 86_400_000)
            cursor.execute(statements.EMPTY_STAGES)
    with connection, connection.cursor() as cursor:
        cursor.execute("SELECT symbol, session_date::text, dead_lettered FROM core.quality ORDER BY 1, 2")
        assert cursor.fetchall() == [("AAPL", "2024-09-24", 2), ("AAPL", "2024-10-04", 2), ("MSFT", "2024-09-24", 1)]
        cursor.execute("SELECT count(*) FROM core.dead_letters")
        assert cursor.fetchall() == [(6,)]
