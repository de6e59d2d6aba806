"""What a person at a terminal sees of a command that takes long."""

import io
import logging
import sys

import pytest

from ingestion import terminal

pytestmark = pytest.mark.unit


class Terminal(io.StringIO):
    def isatty(self) -> bool:
        return True


def test_a_log_line_stands_above_the_bar_and_not_behind_it(monkeypatch: pytest.MonkeyPatch) -> None:
    screen = Terminal()
    monkeypatch.setenv("TERM", "xterm")
    monkeypatch.setattr(sys, "stderr", screen)
    handler = logging.StreamHandler(screen)
    monkeypatch.setattr(logging.getLogger(), "handlers", [handler])
    with terminal.progress("backfill") as show:
        show(0.5, "1234 bars")
        logging.getLogger("test").warning("said meanwhile")
        show(1.0, "2468 bars")
    assert "2468 bars" in screen.getvalue()
    [before] = [line for line in screen.getvalue().splitlines() if "said meanwhile" in line]
    # The bar is taken away before (the cursor goes to the line's begin, and it is cleared), and drawn again below.
    assert before.rpartition("\x1b[2K")[2].strip() == "said meanwhile"
    assert handler.stream is screen, "as it was before"
