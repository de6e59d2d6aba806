"""Orders that others leave for the supervisor in the database: rows of `core.control`, each taken once."""

import asyncio
from collections.abc import Awaitable, Callable
from typing import Any

import psycopg2
import structlog

from stack import state
from stack.errors import StackError
from stack.home import Home
from stack.passwords import WRITER
from stack.platform import Platform

log = structlog.get_logger()

LOOK_S = 15.0
# Nobody wants a restart any more that was asked for so long ago.
EXPIRES_S = 600

TAKE = f"""
UPDATE core.control SET state = CASE WHEN asked_at < now() - interval '{EXPIRES_S} seconds' THEN 'expired' ELSE 'done' END,
       settled_at = now()
WHERE state = 'asked' RETURNING id, service, reason, state
"""  # noqa: S608  (a constant)
FAILED = "UPDATE core.control SET state = 'failed', detail = %s WHERE id = %s"

Restart = Callable[[list[str]], Awaitable[Any]]


async def obey(home: Home, restart: Restart) -> None:
    """Takes orders until it is cancelled. A database that is away has none; it is asked again later."""
    while True:
        await asyncio.sleep(LOOK_S)
        for order, service, reason, verdict in await asyncio.to_thread(take, home, TAKE, ()):
            log.warning("order", id=order, service=service, verb="restart", reason=reason, state=verdict)
            if verdict != "done":
                continue
            try:
                await restart([service])
            except (StackError, KeyError, OSError) as error:
                await asyncio.to_thread(take, home, FAILED, (f"{type(error).__name__}: {error}"[:500], order))


def take(home: Home, statement: str, values: tuple[object, ...]) -> list[tuple[Any, ...]]:
    """The rows of a statement; none where there is no platform yet, or no database that can be asked.

    A database that is away is said by its own probe; one that refuses the statement is said here.
    """
    kept = state.load(home)
    if kept is None or not kept.ports:
        return []
    platform = Platform(home, kept)
    try:
        connection = psycopg2.connect(
            platform.database_url(WRITER), passfile=str(home.pgpass), connect_timeout=3, application_name="supervisor"
        )
    except psycopg2.Error:
        return []
    try:
        with connection, connection.cursor() as cursor:
            cursor.execute(statement, values)
            return cursor.fetchall() if cursor.description else []
    except psycopg2.Error as error:
        log.warning("orders cannot be read", detail=str(error).strip().splitlines()[0])
        return []
    finally:
        connection.close()
