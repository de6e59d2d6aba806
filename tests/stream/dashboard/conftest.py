"""The dashboard's own way of asking a real PostgreSQL."""

from collections.abc import Callable
from typing import Any

import pytest

from dashboard.database import Database


@pytest.fixture
def database(postgres) -> Database:
    return Database(postgres.reader)


@pytest.fixture
def ask(database) -> Callable[..., Any]:
    return lambda question, *args: database.read(lambda cur: question(cur, *args))
