"""The database's upkeep. Each gives what it did in numbers."""

from dags.database import connected

MONTHS_AHEAD = 3


def make_partitions() -> dict[str, object]:
    """Partitions up to some months ahead, should the stream (which makes them too) have been down for long."""
    with connected() as cursor:
        cursor.execute(
            "SELECT core.ensure_partitions(date_trunc('month', now())::date, (now() + make_interval(months => %s))::date)",
            (MONTHS_AHEAD,),
        )
        [made] = cursor.fetchone()
        cursor.execute("SELECT count(*) FROM pg_inherits WHERE inhparent = 'core.bars'::regclass")
        [partitions] = cursor.fetchone()
    return {"made": made, "partitions_of_bars": partitions}


def delete_old_rows(letter_days: int, revision_days: int, ledger_days: int) -> dict[str, object]:
    """Rows deleted by table (core.tidy)."""
    with connected() as cursor:
        cursor.execute("SELECT core.tidy(%s, %s, %s)", (letter_days, revision_days, ledger_days))
        [deleted] = cursor.fetchone()
    return dict(deleted)
