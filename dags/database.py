"""The platform's database, for tasks that only look or write a row or two."""

import os
from collections.abc import Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING

from dags.failures import BadConfiguration, PartAway

if TYPE_CHECKING:
    from psycopg2.extensions import cursor as Cursor


def url_of_the_platform() -> str:
    url = os.environ.get("CANDLESTREAM_DATABASE_URL")
    if not url:
        raise BadConfiguration("CANDLESTREAM_DATABASE_URL is not set")
    return url


@contextmanager
def connected(url: str | None = None) -> Iterator["Cursor"]:
    """A cursor in a transaction that is committed at the end. Raises `PartAway` where PostgreSQL cannot be used."""
    # Not at the top: a DAG file is parsed every minute.
    import psycopg2

    try:
        connection = psycopg2.connect(
            url or url_of_the_platform(),
            connect_timeout=5,
            application_name="candlestream-airflow",
            options="-c statement_timeout=120s",
        )
    except psycopg2.Error as error:
        raise PartAway(f"PostgreSQL cannot be used: {str(error).strip().splitlines()[0]}") from None
    try:
        with connection, connection.cursor() as cursor:
            yield cursor
    except psycopg2.OperationalError as error:
        raise PartAway(f"PostgreSQL cannot be used: {str(error).strip().splitlines()[0]}") from None
    finally:
        connection.close()
