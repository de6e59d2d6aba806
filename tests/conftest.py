"""Fixtures that start real parts. A session shares one server each; a test gets a database and topics of its own."""

import os
import signal
from collections.abc import Callable, Iterator

import pytest

from stack.home import Home
from stack.java.runtime import Java
from stack.parts.postgres import PostgresServer
from tests import embedded
from tests.embedded import Database


def pytest_configure() -> None:
    """SIGTERM ends a run as Ctrl-C does, so that what the fixtures started is stopped."""
    signal.signal(signal.SIGTERM, signal.default_int_handler)


@pytest.fixture(scope="session")
def embedded_home() -> Iterator[Home]:
    with embedded.temporary_home() as home:
        yield home


@pytest.fixture(scope="session")
def java(embedded_home: Home) -> Java:
    return embedded.find_test_java(embedded_home)


@pytest.fixture(scope="session")
def postgres_server(embedded_home: Home) -> Iterator[PostgresServer]:
    """A running server; PGPASSFILE points to its passwords for as long as it runs."""
    before = os.environ.get("PGPASSFILE")
    os.environ["PGPASSFILE"] = str(embedded_home.pgpass)
    try:
        with embedded.running_postgres(embedded_home) as server:
            yield server
    finally:
        if before is None:
            os.environ.pop("PGPASSFILE", None)
        else:
            os.environ["PGPASSFILE"] = before


@pytest.fixture
def postgres(postgres_server: PostgresServer, embedded_home: Home) -> Iterator[Database]:
    """A migrated, empty database: URLs `admin`, `migrator`, `writer`, `reader`."""
    database = embedded.fresh_database(postgres_server, embedded_home.pgpass)
    yield database
    embedded.drop_database(database)


@pytest.fixture(scope="session")
def kafka(embedded_home: Home, java: Java) -> Iterator[str]:
    """A running broker's bootstrap address."""
    with embedded.running_kafka(embedded_home, java) as node:
        yield node.bootstrap


@pytest.fixture
def topics(kafka: str) -> Callable[[str], str]:
    """`topics("name")` makes the market's topics under a prefix of their own and returns the prefix."""
    return lambda prefix: embedded.create_topics(kafka, prefix)


@pytest.fixture(scope="session")
def spark_env(embedded_home: Home, java: Java) -> dict[str, str]:
    """The environment for `spark-submit`; a test adds the database, the broker and the topic prefix."""
    return embedded.spark_environment(embedded_home, java, embedded_home.pgpass)
