"""Instruments of two exchanges, a connection that writes and one that reads as everybody may."""

from collections.abc import Callable, Iterator

import psycopg2
import pytest
from psycopg2.extensions import connection as Connection

from tests.embedded import Database
from tests.stream.adjusted.telling import Rows
from tests.stream.as_of.commits import ask


@pytest.fixture
def write(postgres: Database) -> Iterator[Connection]:
    connection = psycopg2.connect(postgres.writer)
    with connection, connection.cursor() as cursor:
        for symbol, calendar, zone in (
            ("AAPL", "XNYS", "America/New_York"),
            ("NVDA", "XNYS", "America/New_York"),
            ("BHP.AX", "XASX", "Australia/Sydney"),
        ):
            cursor.execute(
                """INSERT INTO core.instruments (symbol, calendar, timezone, currency, state, source)
                   VALUES (%s, %s, %s, 'USD', 'ok', 'simulator')""",
                (symbol, calendar, zone),
            )
    yield connection
    connection.close()


@pytest.fixture
def read(postgres: Database) -> Iterator[Callable[..., Rows]]:
    """Asks as the reader, who may see schema v1 and nothing else."""
    connection = psycopg2.connect(postgres.reader)
    yield lambda query, *parameters: ask(connection, query, *parameters)
    connection.close()
