"""A real PostgreSQL, and the environment in which tasks find it."""

from collections.abc import Callable, Iterator
from typing import Any

import psycopg2
import pytest
from psycopg2.extensions import cursor

from tests.embedded import Database


@pytest.fixture
def write(postgres: Database, monkeypatch: pytest.MonkeyPatch) -> Iterator[cursor]:
    """A cursor of the writer; each statement is committed."""
    monkeypatch.setenv("CANDLESTREAM_DATABASE_URL", postgres.writer)
    connection = psycopg2.connect(postgres.writer)
    connection.autocommit = True
    with connection.cursor() as cur:
        yield cur
    connection.close()


@pytest.fixture
def ask(write: cursor) -> Callable[..., list[tuple[Any, ...]]]:
    def ask(statement: str, *values: object) -> list[tuple[Any, ...]]:
        write.execute(statement, values or None)
        return write.fetchall() if write.description else []

    return ask
