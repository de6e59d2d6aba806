"""When a topic counts as drained."""

import pytest

from stack.growth import is_drained

pytestmark = pytest.mark.unit

LOG = {("events", 0): 7, ("events", 1): 0}


@pytest.mark.parametrize(
    ("ledger", "drained"),
    [
        ({("events", 0): 7, ("events", 1): 0}, True),
        # A partition without records needs no row in the ledger.
        ({("events", 0): 7}, True),
        ({("events", 0): 6, ("events", 1): 0}, False),
        ({("history", 0): 7}, False),
        ({}, False),
    ],
)
def test_a_topic_is_drained_when_the_ledger_stands_at_every_end(
    ledger: dict[tuple[str, int], int], drained: bool
) -> None:
    assert is_drained(LOG, ledger) is drained
