"""What a person sees of an import while it runs."""

import io
import sys
from collections.abc import Callable
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from ingestion.arguments import parser
from ingestion.history import import_command
from ingestion.history.importing import Summary

pytestmark = pytest.mark.unit


class Terminal(io.StringIO):
    def __init__(self, is_terminal: bool) -> None:
        super().__init__()
        self._is_terminal = is_terminal

    def isatty(self) -> bool:
        return self._is_terminal


class Halfway:
    """An import that has read half of its file, and then all."""

    def __init__(self, *_: Any) -> None:
        self.summary = Summary(rows=2_000, bars=1_234, symbols=["AAPL"])

    def run(self, progress: Callable[[float, Summary], None]) -> None:
        progress(0.5, self.summary)
        progress(1.0, self.summary)


@pytest.mark.parametrize("is_terminal", [True, False])
def test_a_bar_shows_how_much_of_the_file_is_read_where_somebody_looks(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, is_terminal: bool
) -> None:
    told, shown = io.StringIO(), Terminal(is_terminal)
    monkeypatch.setenv("TERM", "xterm")
    monkeypatch.setattr(import_command, "Importer", Halfway)
    monkeypatch.setattr(sys, "stderr", shown)
    monkeypatch.setattr(sys, "stdout", told)
    chosen = parser().parse_args(["import", str(tmp_path / "bars.csv")])
    configured: Any = SimpleNamespace(database_url="postgresql:///none", source="simulator")
    assert import_command.run(chosen, configured, lambda: None, 0) == 0  # type: ignore[arg-type, return-value]
    assert ("1234 bars" in shown.getvalue(), "100 %" in shown.getvalue()) == (is_terminal, is_terminal)
    assert "2000 rows: 1234 bars of AAPL sent to be stored" in told.getvalue()
