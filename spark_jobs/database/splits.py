"""Splits for the fold: from a batch, and from the database at a start."""

from typing import Any

from psycopg2.extensions import connection as Connection

from market.actions import Split, Told
from market.frames import to_days

SPLITS = """
    SELECT symbol, ex_date - date '1970-01-01', value, (extract(epoch FROM received_at) * 1000)::bigint
    FROM core.corporate_actions WHERE action = 'split'"""


def splits_in(actions: list[dict[str, Any]]) -> list[Split]:
    """What a batch says of splits."""
    return [
        Split(row["symbol"], to_days(row["ex_date"]), Told(row["received_ms"], row["close"]))
        for row in actions
        if row["action"] == "split"
    ]


def read_splits(connection: Connection) -> list[Split]:
    """Every split as it is known."""
    with connection.cursor() as cursor:
        cursor.execute(SPLITS)
        return [Split(symbol, day, Told(received_ms, ratio)) for symbol, day, ratio, received_ms in cursor.fetchall()]
