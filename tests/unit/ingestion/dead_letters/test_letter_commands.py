"""What `dead-letters list` makes of letters."""

from datetime import UTC, datetime

import pytest
from rich.console import Console

from ingestion.dead_letters.commands import listed
from ingestion.dead_letters.letters import Letter

pytestmark = pytest.mark.unit

NOW = datetime(2026, 11, 29, tzinfo=UTC)


def test_what_a_refused_record_says_is_shown_as_it_is_and_not_taken_for_markup() -> None:
    detail = "price='[/b]' is not float"
    place = ("market.events.v1", 0, 7, NOW, NOW)
    letter = Letter(1, "stream", "bad_type", detail, "[red]X", b"{}", *place, "failed", None, None, 1, "[/i] again")
    console = Console(record=True, width=200)
    console.print(listed([letter]))
    shown = console.export_text()
    assert all(words in shown for words in (detail, "[red]X", "failed ([/i] again)"))


def test_a_symbol_as_long_as_a_page_leaves_room_for_the_reason() -> None:
    place = ("market.dead_letters.v1", 0, 7, NOW, NOW)
    letter = Letter(1, "ingestion", "unknown_symbol", "", "X" * 5_000, b"{}", *place, "open", None, None, 0, None)
    console = Console(record=True, width=120)
    console.print(listed([letter]))
    assert "unknown_symbol" in console.export_text()
