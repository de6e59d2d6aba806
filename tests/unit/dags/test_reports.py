import pytest

from dags.reports import objection

pytestmark = pytest.mark.unit

GOOD = ("MSFT", "2025-11-24", "timeliness", 99.5, 100.0)


def test_good_sessions_pass() -> None:
    assert objection([GOOD], 90.0) is None
    assert objection([], 90.0) is None


def test_sessions_below_the_threshold_are_named_with_what_is_worst() -> None:
    bad = [("AAPL", "2025-11-24", "completeness", 60.25, 20.0)]
    assert objection([*bad, GOOD], 90.0) == "1 of 2 sessions are below 90: AAPL on 2025-11-24 60.25 (completeness)"
    assert str(objection(bad * 7, 90.0)).endswith("and 2 more")
