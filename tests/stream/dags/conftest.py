"""A real PostgreSQL, where tasks find it by their environment."""

from collections.abc import Callable
from typing import Any

import pytest
from psycopg2.extensions import cursor

from tests.embedded import Database


@pytest.fixture(autouse=True)
def environment(postgres: Database, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("CANDLESTREAM_DATABASE_URL", postgres.writer)


@pytest.fixture
def ask(write: cursor) -> Callable[..., list[tuple[Any, ...]]]:
    def ask(statement: str, *values: object) -> list[tuple[Any, ...]]:
        write.execute(statement, values or None)
        return write.fetchall() if write.description else []

    return ask
