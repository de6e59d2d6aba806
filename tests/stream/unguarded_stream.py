"""The stream without its ledger's checks, for the test that asserts that the chaos test would notice.

Nothing below the ledger is left out, the ledger moves wherever it stands and whoever drives, and after a COMMIT of which nothing
was heard it is not asked whether the batch was written. All else is the stream as it is.
"""

import sys
from typing import Any

from spark_jobs import driver, stream
from spark_jobs.database import ledger
from spark_jobs.scan.one_pass import Scan


def advance(cursor: Any, cluster_id: str, epoch: int, steps: list[ledger.Advance]) -> None:
    for step in steps:
        cursor.execute(
            """UPDATE core.stream_offsets SET next_offset = %s, clock_ms = %s, clock_since_ms = %s
               WHERE topic_id = %s AND partition = %s""",
            (step.next_offset, step.clock_ms, step.clock_since_ms, step.position.topic_id, step.partition),
        )


def commit(self: driver.Driver, scanned: driver.Scanned) -> None:
    def attempt() -> bool:
        self._write(scanned)
        return True

    self._patiently(attempt, lambda: False)


ledger.advance = advance
driver.Driver._commit = commit  # type: ignore[method-assign]
driver.Scan = lambda begin, *more: Scan({}, *more)  # type: ignore[assignment, misc]

if __name__ == "__main__":
    sys.exit(stream.main())
