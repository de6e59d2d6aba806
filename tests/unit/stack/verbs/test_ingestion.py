import pytest

from stack.verbs.ingestion import exit_code

pytestmark = pytest.mark.unit


@pytest.mark.parametrize(("theirs", "ours"), [(0, 0), (1, 1), (2, 2), (10, 40), (13, 43), (21, 51), (-9, 1)])
def test_ingestions_exit_codes_do_not_collide_with_the_platforms(theirs: int, ours: int) -> None:
    assert exit_code(theirs) == ours
