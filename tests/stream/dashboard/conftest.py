"""A real PostgreSQL: a cursor that writes, and the dashboard's own way of asking."""

from collections.abc import Callable, Iterator
from typing import Any

import psycopg2
import pytest
from psycopg2.extensions import cursor

from dashboard.database import Database


@pytest.fixture
def write(postgres) -> Iterator[cursor]:
    """A cursor of the writer; each statement is committed."""
    connection = psycopg2.connect(postgres.writer)
    connection.autocommit = True
    with connection.cursor() as cur:
        yield cur
    connection.close()


@pytest.fixture
def database(postgres) -> Database:
    return Database(postgres.reader)


@pytest.fixture
def ask(database) -> Callable[..., Any]:
    return lambda question, *args: database.read(lambda cur: question(cur, *args))
