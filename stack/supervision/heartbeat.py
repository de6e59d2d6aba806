"""Probes: each asks one service whether it is well, over the way its users take."""

import http.client
import json
import socket
import urllib.request
from collections.abc import Callable
from pathlib import Path
from typing import Any

import psycopg2

from stack.ports import HOST
from stack.supervision.process import WELL, Health

TIMEOUT_S = 3.0
# A process that has something to say says it every few seconds (v1.service_status).
STALE_S = 30.0

# The platform's own addresses are never behind a proxy, whatever the user's environment says.
_direct = urllib.request.build_opener(urllib.request.ProxyHandler({}))


def get(url: str) -> bytes | None:
    """The body of a 200, None for anything else."""
    try:
        with _direct.open(url, timeout=TIMEOUT_S) as answer:
            return bytes(answer.read())
    except (OSError, http.client.HTTPException):
        return None


def http_probe(url: str) -> Callable[[], Health]:
    return lambda: WELL if get(url) is not None else Health(False, "starting", f"{url} does not answer")


def airflow_probe(health_url: str, part: str) -> Callable[[], Health]:
    """Of a part of Airflow (`scheduler`, `dag_processor`) as its API reports it."""

    def probe() -> Health:
        body = get(health_url)
        if body is None:
            return Health(False, "starting", "Airflow's API does not answer")
        status = json.loads(body).get(part, {}).get("status")
        return WELL if status == "healthy" else Health(False, "starting", f"Airflow says {part} is {status}")

    return probe


def listening_probe(port: int, needed: Path) -> Callable[[], Health]:
    """Listens on its port, and the file that others wait for is there."""

    def probe() -> Health:
        if not needed.exists():
            return Health(False, "starting", f"{needed.name} is not written yet")
        try:
            socket.create_connection((HOST, port), timeout=TIMEOUT_S).close()
        except OSError:
            return Health(False, "starting", f"port {port} does not answer")
        return WELL

    return probe


def status_probe(dsn: dict[str, Any], name: str) -> Callable[[], Health]:
    """By the row that the process itself writes to `service_status`."""

    def probe() -> Health:
        try:
            row = status_row(dsn, name)
        except psycopg2.Error:
            return Health(False, "waiting", "PostgreSQL does not answer")
        if row is None:
            return Health(False, "starting", "has not reported yet")
        state, detail, age_s = row
        if age_s > STALE_S:
            return Health(False, "silent", f"last word {age_s:.0f} s ago: {state} {detail}".rstrip())
        return Health(state not in ("starting", "stopped"), state, detail, age_s)

    return probe


def status_row(dsn: dict[str, Any], name: str) -> tuple[str, str, float] | None:
    connection = psycopg2.connect(**dsn, connect_timeout=2)
    try:
        with connection.cursor() as cursor:
            cursor.execute("SELECT state, detail, age_s::float FROM v1.service_status WHERE name = %s", (name,))
            row: tuple[str, str, float] | None = cursor.fetchone()
            return row
    finally:
        connection.close()
