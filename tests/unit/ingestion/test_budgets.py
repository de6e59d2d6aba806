"""All commands that ask the provider share one budget, and each leaves to others what it should."""

from pathlib import Path
from typing import Any

import pytest

from ingestion import commands
from ingestion.arguments import parser
from ingestion.settings import Settings

pytestmark = pytest.mark.unit


class Connected(Exception):
    """The provider was asked for: what comes after it is not under test."""


@pytest.mark.parametrize(
    ("line", "keeps"),
    [
        ("live", 0),
        ("poll", 5),
        ("backfill", 20),
        ("ledger", 20),
        ("actions", 20),
        ("wire", 0),
    ],
)
def test_one_bucket_of_sixty_a_minute_for_all_processes_of_a_home(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, line: str, keeps: int
) -> None:
    given: list[int] = []

    def connect(_name: str, home: Path, budget: Any, _source: str) -> None:
        assert home == tmp_path
        assert (budget._path, budget._per_minute) == (tmp_path / "ingestion" / "requests.json", 60)
        given.append(budget._keep)
        raise Connected

    monkeypatch.delenv("CANDLESTREAM_REQUESTS_PER_MINUTE", raising=False)
    monkeypatch.setattr(commands.providers, "connect", connect)
    monkeypatch.setattr(commands, "seeded", lambda _: None)
    monkeypatch.setattr(commands, "publisher_of", lambda *_: None)
    monkeypatch.setattr(commands.tables, "tracked", lambda _: [])
    chosen = parser().parse_args([line])
    with pytest.raises(Connected):
        commands.COMMANDS[line](chosen, Settings(database_url="postgresql:///none", home=tmp_path))
    assert given == [keeps]
