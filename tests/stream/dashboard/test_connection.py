"""The dashboard's connection: one moment a snapshot, few and kept, and a sentence when there is none."""

import psycopg2
import pytest
from psycopg2.extensions import cursor

from dashboard import queries
from dashboard.database import Database, DatabaseProblem
from tests.stream.dashboard.rows import bar

pytestmark = pytest.mark.stream


def test_one_snapshot_reads_one_moment(database, write):
    """A bar that is committed between two of a snapshot's queries is in none of them."""

    def twice(cur: cursor) -> tuple[int, int]:
        before = len(queries.bars(cur, "AAPL", "1m", 10))
        bar(write, 0)
        return before, len(queries.bars(cur, "AAPL", "1m", 10))

    assert database.read(twice) == (0, 0)
    assert database.read(lambda cur: len(queries.bars(cur, "AAPL", "1m", 10))) == 1


def test_a_connection_that_was_cut_is_made_anew_without_a_word(database, postgres):
    pid = database.read(_backend)
    with psycopg2.connect(postgres.admin) as admin, admin.cursor() as cur:
        cur.execute("SELECT pg_terminate_backend(%s)", (pid,))
    assert database.read(_backend) != pid


def _backend(cur: cursor) -> int:
    cur.execute("SELECT pg_backend_pid()")
    return int(cur.fetchone()[0])  # type: ignore[index]


def test_connections_are_kept_and_few(database):
    assert len({database.read(_backend) for _ in range(10)}) == 1


def test_the_reader_can_write_nothing(database):
    with pytest.raises(DatabaseProblem):
        database.read(lambda cur: cur.execute("CREATE TABLE v1.mine (x int)"))


@pytest.mark.parametrize(
    ("change", "sentence"),
    [
        (
            lambda url: url.replace("candlestream_reader", "nobody_here"),
            "does not accept|no database or user|cannot be reached",
        ),
        (lambda url: url.rsplit("/", 1)[0] + "/no_such_database", "has no database or user of the name"),
    ],
)
def test_a_wrong_address_is_a_sentence(postgres, change, sentence):
    with pytest.raises(DatabaseProblem, match=sentence):
        Database(change(postgres.reader)).read(queries.clock)


def test_nothing_listening_is_a_sentence():
    with pytest.raises(DatabaseProblem) as caught:
        Database("postgresql://candlestream_reader@127.0.0.1:1/candlestream").read(queries.clock)
    assert caught.value.sentence == "PostgreSQL at 127.0.0.1:1 cannot be reached."


def test_a_database_before_its_migrations_is_a_sentence(database):
    with pytest.raises(DatabaseProblem, match="migrations have not run"):
        database.read(lambda cur: cur.execute("SELECT * FROM v1.not_there_yet"))
