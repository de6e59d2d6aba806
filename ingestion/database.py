"""The one PostgreSQL connection of a process, and the error that says it is away."""

import threading
from collections.abc import Mapping, Sequence
from typing import Any

import psycopg2
from psycopg2 import errors

from ingestion.errors import DatabaseAway

# Besides a lost connection: a schema that is still being made, which is what a first start looks like from here.
AWAY = (
    psycopg2.OperationalError,
    psycopg2.InterfaceError,
    errors.UndefinedTable,
    errors.InvalidSchemaName,
    errors.InsufficientPrivilege,
)


class Database:
    """Runs one statement at a time, each its own transaction; a lost connection is opened again by the next statement."""

    def __init__(self, url: str) -> None:
        self._url = url
        self._connection: Any = None
        self._held: list[tuple[str, Sequence[Any]]] = []
        self._lock = threading.Lock()

    def run(self, sql: str, parameters: Sequence[Any] | Mapping[str, Any] = ()) -> list[tuple[Any, ...]]:
        """The rows of a statement, none for one that returns none. Raises `DatabaseAway`."""
        with self._lock:
            try:
                if self._connection is None:
                    self._connection = _connect(self._url)
                    for held in self._held:
                        self._connection.cursor().execute(*held)
                with self._connection.cursor() as cursor:
                    cursor.execute(sql, parameters)
                    return cursor.fetchall() if cursor.description else []
            except AWAY as error:
                self._drop()
                raise DatabaseAway(f"PostgreSQL cannot be used: {str(error).strip().splitlines()[0]}") from error

    def keep(self, sql: str, parameters: Sequence[Any]) -> None:
        """Each later connection begins with this statement: for what ends with a connection, as a session's lock does."""
        with self._lock:
            self._held.append((sql, parameters))

    def close(self) -> None:
        with self._lock:
            self._drop()

    def _drop(self) -> None:
        if self._connection is not None:
            self._connection.close()
        self._connection = None


def _connect(url: str) -> Any:
    connection = psycopg2.connect(
        url,
        connect_timeout=5,
        application_name="candlestream-ingestion",
        options="-c statement_timeout=15s -c timezone=UTC",
        keepalives_idle=30,
    )
    connection.autocommit = True
    return connection
