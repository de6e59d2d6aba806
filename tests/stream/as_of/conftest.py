"""A reader, a store that copies the tables after each commit, and the whole history of commits."""

from collections.abc import Iterator

import psycopg2
import pytest
from psycopg2.extensions import connection as Connection

from tests.embedded import Database
from tests.stream.as_of.commits import SYMBOL, Commit, TimedStore, batches
from tests.unit.market.folds import Fold


@pytest.fixture
def reader(postgres: Database) -> Iterator[Connection]:
    connection = psycopg2.connect(postgres.reader)
    yield connection
    connection.close()


@pytest.fixture
def store(postgres: Database, reader: Connection) -> Iterator[TimedStore]:
    connection = psycopg2.connect(postgres.writer)
    with connection, connection.cursor() as cursor:
        cursor.execute(
            """INSERT INTO core.instruments (symbol, calendar, timezone, currency, price_precision, state, source)
               VALUES (%s, '24/7', 'UTC', 'USD', 2, 'ok', 'simulator')""",
            (SYMBOL,),
        )
    yield TimedStore(connection, reader)
    connection.close()


@pytest.fixture
def history(store: TimedStore) -> list[Commit]:
    fold = Fold(store)
    for events in batches():
        fold.step(events)
    return store.commits
