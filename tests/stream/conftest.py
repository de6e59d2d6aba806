from collections.abc import Callable, Iterator

import psycopg2
import pytest
from psycopg2.extensions import cursor

from stack.chaos.parts import Parts, running_parts
from tests.embedded import Database, jar_home
from tests.stream import rig as rigs
from tests.stream.rig import Rig


@pytest.fixture
def stream(postgres: Database, kafka: str, topics: Callable[[str], str], spark_env: dict[str, str]) -> Iterator[Rig]:
    """A stream that is not started yet, with AAPL and MSFT trading around the clock."""
    with rigs.rig(postgres, kafka, topics("stream"), spark_env) as under_test:
        for symbol in ("AAPL", "MSFT"):
            under_test.add_instrument(symbol)
        yield under_test


@pytest.fixture(scope="session")
def chaos_parts() -> Iterator[Parts]:
    """A PostgreSQL and a broker that a test may kill."""
    with running_parts(jar_home()) as parts:
        yield parts


@pytest.fixture
def write(postgres: Database) -> Iterator[cursor]:
    """A cursor of the writer; each statement is committed."""
    connection = psycopg2.connect(postgres.writer)
    connection.autocommit = True
    with connection.cursor() as cur:
        yield cur
    connection.close()
