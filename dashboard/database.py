"""A few connections for the whole process, made anew when PostgreSQL went away, and what is said when it cannot be asked."""

import queue
from collections.abc import Callable
from typing import TypeVar
from urllib.parse import urlsplit

import psycopg2
import structlog
from psycopg2 import errors
from psycopg2.extensions import ISOLATION_LEVEL_REPEATABLE_READ, connection, cursor

log = structlog.get_logger(service="dashboard")
Answer = TypeVar("Answer")

CONNECTIONS = 3
CONNECT_TIMEOUT_S = 2
STATEMENT_TIMEOUT_MS = 4_000
WAIT_FOR_CONNECTION_S = 5


class DatabaseProblem(Exception):
    """PostgreSQL did not answer. `sentence` is for the person at the screen; `reason` is what the driver said."""

    def __init__(self, sentence: str, reason: str) -> None:
        super().__init__(f"{sentence} ({reason})")
        self.sentence = sentence
        self.reason = reason


class Database:
    """Runs reads on one of a few connections. A read is one read-only snapshot, so that its queries agree."""

    def __init__(self, url: str, size: int = CONNECTIONS) -> None:
        self._url = url
        self._slots: queue.LifoQueue[connection | None] = queue.LifoQueue()
        for _ in range(size):
            self._slots.put(None)
        self._trouble = ""

    def read(self, work: Callable[[cursor], Answer]) -> Answer:
        """What `work` returns. Raises `DatabaseProblem`; the next call tries again with a new connection."""
        try:
            slot = self._slots.get(timeout=WAIT_FOR_CONNECTION_S)
        except queue.Empty as error:
            raise DatabaseProblem("PostgreSQL is too busy to answer.", "no free connection") from error
        try:
            was_open = slot is not None
            try:
                slot = slot or self._connect()
                return self._well(self._run(slot, work))
            except (psycopg2.OperationalError, psycopg2.InterfaceError) as error:
                slot = self._drop(slot)
                if not was_open or isinstance(error, errors.QueryCanceled):
                    raise
            # The server was restarted since the connection was last used: that is worth one more try.
            slot = self._connect()
            return self._well(self._run(slot, work))
        except psycopg2.Error as error:
            slot = self._drop(slot)
            raise self._unwell(error) from error
        finally:
            self._slots.put(slot)

    def _well(self, answer: Answer) -> Answer:
        if self._trouble:
            log.info("database_back")
            self._trouble = ""
        return answer

    def _unwell(self, error: psycopg2.Error) -> DatabaseProblem:
        """Logged when it begins or changes, and not at each refresh."""
        problem = DatabaseProblem(sentence_for(error, self._url), " ".join(str(error).split()))
        if problem.sentence != self._trouble:
            log.warning("database_unavailable", reason=problem.reason)
            self._trouble = problem.sentence
        return problem

    def _connect(self) -> connection:
        opened = psycopg2.connect(
            self._url,
            connect_timeout=CONNECT_TIMEOUT_S,
            application_name="candlestream-dashboard",
            options=f"-c statement_timeout={STATEMENT_TIMEOUT_MS} -c timezone=UTC",
            keepalives_idle=10,
            keepalives_interval=5,
            keepalives_count=2,
            tcp_user_timeout=STATEMENT_TIMEOUT_MS + 2_000,
        )
        opened.set_session(isolation_level=ISOLATION_LEVEL_REPEATABLE_READ, readonly=True)
        return opened

    @staticmethod
    def _run(opened: connection, work: Callable[[cursor], Answer]) -> Answer:
        with opened, opened.cursor() as cur:
            return work(cur)

    @staticmethod
    def _drop(slot: connection | None) -> None:
        if slot is not None:
            slot.close()


def sentence_for(error: psycopg2.Error, url: str) -> str:
    """A plain sentence for an error of the driver."""
    parts = urlsplit(url)
    where = f"{parts.hostname or 'the local socket'}:{parts.port or 5432}"
    text = str(error)
    if isinstance(error, errors.UndefinedTable | errors.InvalidSchemaName | errors.UndefinedColumn):
        return "PostgreSQL has no tables of this version yet: the migrations have not run."
    if isinstance(error, errors.InsufficientPrivilege):
        return f"PostgreSQL at {where} does not let {parts.username} read schema v1."
    if isinstance(error, errors.QueryCanceled):
        return f"PostgreSQL at {where} took longer than {STATEMENT_TIMEOUT_MS // 1000} s to answer."
    if not isinstance(error, psycopg2.OperationalError | psycopg2.InterfaceError):
        return f"PostgreSQL at {where} did not understand a question of this page; its log says which."
    if "authentication failed" in text or "no password supplied" in text:
        return f"PostgreSQL at {where} does not accept the password of {parts.username}."
    if "starting up" in text or "recovery" in text:
        return f"PostgreSQL at {where} is starting."
    if "does not exist" in text:
        return f"PostgreSQL at {where} has no database or user of the name it was asked for."
    return f"PostgreSQL at {where} cannot be reached."
