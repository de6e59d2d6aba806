"""Whose history is still to be fetched."""

from dags.database import connected

TRACKED = "SELECT symbol, history_at IS NULL FROM core.instruments WHERE tracked AND state <> 'unknown' ORDER BY added_at, symbol"


def without_history() -> list[str] | None:
    """The tracked symbols that no backfill has got through; None while nothing is tracked, as at a first start."""
    with connected() as cursor:
        cursor.execute(TRACKED)
        rows = cursor.fetchall()
    return [symbol for symbol, is_without in rows if is_without] if rows else None
