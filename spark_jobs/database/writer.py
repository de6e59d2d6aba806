"""One batch's transaction: bars, revisions, indicators, latest, quality, dead letters and the offsets, or nothing."""

from collections import Counter
from dataclasses import dataclass
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import structlog
from psycopg2.errors import UniqueViolation
from psycopg2.extensions import connection as Connection
from psycopg2.extensions import cursor as Cursor
from psycopg2.extras import execute_values

from market.batches import BarChanges, Changes
from market.choices import Choices
from market.chosen import NOTHING
from market.latest import Prices
from market.timeframes import MINUTE_MS
from spark_jobs.batch import Scanned
from spark_jobs.database import chosen, ledger, statements
from spark_jobs.database.columns import TOPIC_NAMES, copy_bytes, staged, staged_latest, staged_quality

log = structlog.get_logger()

# So many new rows are copied straight into the tables; the few of a moment go the same way as those that change.
COPIED_FROM = 1_000


@dataclass(slots=True)
class Writer:
    """A connection that has its staging tables. Everything is written for one source."""

    connection: Connection
    source: str
    chosen: Choices = NOTHING

    def prepare(self) -> None:
        """Makes the staging tables, which live as long as the connection."""
        with self.connection, self.connection.cursor() as cursor:
            cursor.execute(statements.CREATE_STAGES)
            if self.chosen:
                cursor.execute(chosen.CREATE_STAGE)
            # A driver that dies in the middle of a batch must not hold its locks, and the vacuum, for ever.
            cursor.execute("SET idle_in_transaction_session_timeout TO '60s'")

    def write(
        self, cursor: Cursor, changes: Changes, scanned: Scanned, positions: ledger.Positions, at_ms: int
    ) -> None:
        """The rows of a batch, in the caller's transaction. `at_ms` dates what has no event of its own."""
        self.write_series(cursor, changes.series)
        self.write_latest(cursor, changes.latest)
        refused = self._write_dead_letters(cursor, scanned.rejects, positions)
        self._write_actions(cursor, scanned.actions)
        self._write_quality(cursor, changes, refused, at_ms // (24 * 60 * MINUTE_MS))

    def write_series(self, cursor: Cursor, changes: BarChanges) -> None:
        if not len(changes):
            return
        if len(changes.replaced):
            keys = [changes.keys[number] for number in changes.replaced_which.tolist()]
            columns = ([key.symbol for key in keys], [key.timeframe for key in keys], changes.replaced["ts"].tolist())
            cursor.execute(statements.KEEP_REVISIONS, columns)
        rest = changes
        if np.count_nonzero(changes.is_new) >= COPIED_FROM and self._copy_new(cursor, changes.take(changes.is_new)):
            rest = changes.take(~changes.is_new)
        if len(rest):
            stage(cursor, "stage", staged(rest, self.source))
            cursor.execute(statements.UPSERT_BARS)
            cursor.execute(statements.UPSERT_INDICATORS)
        if self.chosen:
            chosen.write(cursor, changes, self.chosen, range(len(self.chosen.all)))

    def _copy_new(self, cursor: Cursor, changes: BarChanges) -> bool:
        """Rows that are in no table yet, straight into both. Gives whether none of them was there after all.

        One may be: a minute that was called extended before and regular now has the same key.
        """
        rows = staged(changes, self.source)
        cursor.execute("SAVEPOINT new_rows")
        try:
            cursor.copy_expert(statements.COPY_BARS, copy_bytes(rows.select(statements.BAR_NAMES)))
            regular = rows.filter(pc.equal(rows["session"], "regular"))
            cursor.copy_expert(statements.COPY_INDICATORS, copy_bytes(regular.select(statements.INDICATOR_NAMES)))
        except UniqueViolation as error:
            cursor.execute("ROLLBACK TO SAVEPOINT new_rows")
            log.warning("new_rows_were_there", rows=len(changes), detail=str(error).strip())
            return False
        cursor.execute("RELEASE SAVEPOINT new_rows")
        return True

    def write_indicators(self, cursor: Cursor, changes: BarChanges) -> None:
        """The kernel's values and states alone, for bars that stay as they are."""
        if len(changes):
            stage(cursor, "stage", staged(changes, self.source))
            cursor.execute(statements.UPSERT_INDICATORS)

    def write_values(self, cursor: Cursor, changes: BarChanges) -> None:
        """`write_indicators`, with those that are chosen."""
        self.write_indicators(cursor, changes)
        if self.chosen and len(changes):
            chosen.write(cursor, changes, self.chosen, range(len(self.chosen.all)))

    def write_past(self, cursor: Cursor, changes: Changes, at_ms: int) -> None:
        """What the same batch has of the past: bars and what is counted of them."""
        self.write_series(cursor, changes.series)
        self._write_quality(cursor, changes, Counter(), at_ms // (24 * 60 * MINUTE_MS))
        # The rest of the batch is staged in the same transaction.
        cursor.execute(statements.EMPTY_STAGES)
        if self.chosen:
            cursor.execute(chosen.EMPTY_STAGE)

    def write_latest(self, cursor: Cursor, prices: Prices) -> None:
        if len(prices):
            stage(cursor, "stage_latest", staged_latest(prices, self.source))
            cursor.execute(statements.UPSERT_LATEST)

    def _write_dead_letters(
        self, cursor: Cursor, rejects: list[dict[str, Any]], positions: ledger.Positions
    ) -> Counter[tuple[str, int | None]]:
        """Gives how many were new, by symbol and the session that they are about."""
        rows = [
            (
                row["stage"],
                row["reason"],
                row["detail"],
                row["symbol"] or "",
                row["payload"],
                row["content_hash"],
                str(TOPIC_NAMES[row["topic"]]),
                positions[row["topic"], row["partition"]].topic_id,
                row["partition"],
                row["first_offset"],
                row["received_ms"],
            )
            for row in rejects
        ]
        new = set(insert(cursor, statements.ADD_DEAD_LETTERS, rows, statements.DEAD_LETTER_ROW))
        # Where a row comes from names it: topic id, partition, offset.
        of_place = {row[7:10]: (row[3], reject["day"]) for row, reject in zip(rows, rejects, strict=True)}
        return Counter(of_place[place] for place in new)

    def _write_actions(self, cursor: Cursor, actions: list[dict[str, Any]]) -> None:
        newest = {}
        for row in sorted(actions, key=lambda row: (row["received_ms"], row["close"])):
            newest[row["symbol"], row["ex_date"], row["action"]] = (row["close"], self.source, row["received_ms"])
        rows = [(*key, *values) for key, values in newest.items()]
        insert(cursor, statements.KEEP_ACTION_REVISIONS, rows, statements.ACTION_ROW)
        insert(cursor, statements.UPSERT_ACTIONS, rows, statements.ACTION_ROW)

    def _write_quality(
        self, cursor: Cursor, changes: Changes, refused: Counter[tuple[str, int | None]], today: int
    ) -> None:
        """A refused record counts for the session that it is about, as one that is taken does.

        One that does not say counts for today, and so does one whose fault may be its time: no session of the future has it.
        """
        counted: dict[tuple[str, int], list[int]] = {}
        for column, counters in enumerate((changes.ticks, changes.late_ticks, changes.corrected)):
            for key, by in counters.items():
                counted.setdefault(key, [0, 0, 0, 0])[column] += by
        for (symbol, day), by in refused.items():
            if symbol:
                counted.setdefault((symbol, today if day is None else min(day, today)), [0, 0, 0, 0])[3] += by
        if counted:
            stage(cursor, "stage_quality", staged_quality(dict(sorted(counted.items()))))
            cursor.execute(statements.ADD_QUALITY)


def stage(cursor: Cursor, name: str, rows: pa.RecordBatch) -> None:
    cursor.copy_expert(statements.COPY_STAGE.format(name), copy_bytes(rows))


def insert(cursor: Cursor, statement: str, rows: list[tuple[Any, ...]], template: str) -> list[tuple[Any, ...]]:
    """`execute_values` in one round trip; nothing where there are no rows. Gives what the statement returns."""
    if not rows:
        return []
    fetch = "RETURNING" in statement
    return execute_values(cursor, statement, rows, template=template, page_size=len(rows), fetch=fetch) or []
