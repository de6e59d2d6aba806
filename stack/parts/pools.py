"""Airflow's pools, as dags/pools.json has them. Written by SQL: the `airflow` command takes seconds to begin."""

import json

import psycopg2

from stack.home import REPO
from stack.parts.airflow import DATABASE
from stack.passwords import AIRFLOW
from stack.platform import Platform
from stack.ports import HOST

FILE = REPO / "dags" / "pools.json"


def ensure_pools(platform: Platform) -> None:
    """Makes the pools that tasks name; a task of a pool that is not there would wait for ever. A person's own slots are kept."""
    dsn = f"postgresql://{AIRFLOW}@{HOST}:{platform.ports['postgres']}/{DATABASE}"
    connection = psycopg2.connect(dsn, passfile=str(platform.home.pgpass), connect_timeout=5)
    try:
        with connection, connection.cursor() as cursor:
            for name, pool in json.loads(FILE.read_text()).items():
                cursor.execute(
                    "INSERT INTO slot_pool (pool, slots, description, include_deferred) VALUES (%s, %s, %s, %s)"
                    " ON CONFLICT DO NOTHING",
                    (name, pool["slots"], pool["description"], pool["include_deferred"]),
                )
    finally:
        connection.close()
