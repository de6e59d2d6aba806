"""The tracked list as a person sees it."""

import io
from collections.abc import Callable
from datetime import date
from types import SimpleNamespace
from typing import Any

import pytest
from rich.console import Console

from ingestion import symbols
from ingestion.errors import Unavailable
from ingestion.records.instruments import Instrument
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


@pytest.mark.parametrize(("failures", "is_added"), [(1, True), (100, False)])
def test_a_provider_that_is_away_for_a_moment_is_asked_again_for_whoever_waits(
    monkeypatch: pytest.MonkeyPatch, apple: Instrument, failures: int, is_added: bool
) -> None:
    monkeypatch.setattr(symbols, "RETRY_S", 0.2)
    left = [Unavailable("AAPL: answered with 503", 0.01)] * failures
    written: list[str] = []

    def describe(_symbol: str) -> Instrument:
        if left:
            raise left.pop()
        return apple

    database: Any = SimpleNamespace(run=lambda sql, _parameters=(): written.append(sql.split()[0]) or [])
    provider: Any = SimpleNamespace(title="Yahoo", describe=describe)
    console = Console(file=io.StringIO())
    failure = symbols.add(database, lambda: provider, "yahoo", ["AAPL"], lambda: date(2025, 11, 24), console)
    assert (failure is None, "INSERT" in written) == (is_added, is_added)
