"""The tracked list as a person sees it."""

from collections.abc import Callable

import pytest

from ingestion.symbols import standing_of

pytestmark = pytest.mark.unit

At = Callable[[str], int]


@pytest.mark.parametrize(
    ("state", "calendar", "throttled", "when", "word"),
    [
        ("ok", "XNYS", False, "2025-11-24T15:00", "trading"),
        ("ok", "XNYS", False, "2025-11-24T22:00", "closed"),
        ("ok", "24/7", False, "2025-11-23T22:00", "trading"),
        ("ok", "XNYS", True, "2025-11-24T15:00", "throttled"),
        ("unknown", None, False, "2025-11-24T15:00", "unknown"),
        ("unknown", "XNYS", True, "2025-11-24T15:00", "unknown"),
        ("pending", None, False, "2025-11-24T15:00", "not asked"),
        ("pending", None, True, "2025-11-24T15:00", "throttled"),
    ],
)
def test_a_symbols_standing_is_one_word(
    at: At, state: str, calendar: str | None, throttled: bool, when: str, word: str
) -> None:
    assert standing_of(state, calendar, throttled, at(when)) == word
