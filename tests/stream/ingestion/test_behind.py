"""How far the stream is behind the log, from its ledger: nothing is judged before it has caught up."""

import pytest

from ingestion.database import Database as Connection
from ingestion.gaps.tables import committed
from tests.embedded import Database

pytestmark = pytest.mark.stream

EVENTS, HISTORY = "market.events.v1", "market.history.v1"


@pytest.mark.parametrize(
    ("stands", "behind"),
    [
        ([("a", EVENTS, 0, 100, 0), ("a", EVENTS, 1, 50, 0), ("h", HISTORY, 0, 7, 0)], 0),
        ([("a", EVENTS, 0, 90, 0), ("a", EVENTS, 1, 50, 0), ("h", HISTORY, 0, 7, 0)], 10),
        # A partition that it has not begun.
        ([("a", EVENTS, 0, 100, 0), ("h", HISTORY, 0, 7, 0)], 50),
        # The topic was made anew: how far it had come in the old one says nothing.
        (
            [
                ("old", EVENTS, 0, 1_000_000, 60),
                ("old", EVENTS, 1, 1_000_000, 60),
                ("a", EVENTS, 0, 40, 0),
                ("a", EVENTS, 1, 50, 0),
                ("h", HISTORY, 0, 7, 0),
            ],
            60,
        ),
    ],
)
def test_what_is_in_the_log_and_not_committed_is_counted(
    postgres: Database, stands: list[tuple[str, str, int, int, int]], behind: int
) -> None:
    database = Connection(postgres.writer)
    for topic_id, topic, partition, next_offset, age_s in stands:
        database.run(
            "INSERT INTO core.stream_offsets (query, cluster_id, topic_id, topic, partition, next_offset, epoch, updated_at)"
            " VALUES ('stream', 'c', %s, %s, %s, %s, 1, now() - make_interval(secs => %s))",
            (topic_id, topic, partition, next_offset, age_s),
        )
    ends = {(EVENTS, 0): 100, (EVENTS, 1): 50, (HISTORY, 0): 7}
    assert committed(database, ends) == behind
    database.close()
