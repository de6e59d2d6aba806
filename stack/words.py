"""What Airflow's tasks say of themselves: the poll's pace, the backfill, the gap ledger."""

from typing import Any

import psycopg2

from stack.platform import Platform

TASKS = ("poll", "backfill", "gaps", "actions", "airflow")
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
            return {name: {"state": s, "detail": d, "age_s": round(age, 1)} for name, s, d, age in cursor.fetchall()}
    except psycopg2.Error:
        return {}
    finally:
        connection.close()
