"""What Airflow's tasks say of themselves: the poll's pace, the backfill, the gap ledger."""

from typing import Any

import psycopg2

from stack.platform import Platform

TASKS = ("poll", "backfill", "gaps", "actions", "deadlines")
# The poll has something to say each minute; the others when they have run.
POLL_PATIENCE_S = 180.0
QUERY = """
SELECT name, state, detail, age_s::float8 FROM v1.service_status WHERE name = ANY(%s) ORDER BY array_position(%s, name)
"""


def task_words(platform: Platform) -> dict[str, dict[str, Any]]:
    """Name → state, detail and age; none while the database cannot be asked."""
    try:
        connection = psycopg2.connect(**platform.reader_dsn, connect_timeout=2)
    except psycopg2.Error:
        return {}
    try:
        with connection, connection.cursor() as cursor:
            cursor.execute(QUERY, (list(TASKS), list(TASKS)))
            return {name: words(name, *row) for name, *row in cursor.fetchall()}
    except psycopg2.Error:
        return {}
    finally:
        connection.close()


def words(name: str, state: str, detail: str, age_s: float) -> dict[str, Any]:
    """What a task said; a poll that ought to have spoken since is silent, whatever it said last."""
    is_silent = name == "poll" and age_s > POLL_PATIENCE_S
    return {"state": "silent" if is_silent else state, "detail": detail, "age_s": round(age_s, 1)}
