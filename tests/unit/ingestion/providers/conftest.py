"""The provider over the unmodified yfinance, whose HTTP transport is replaced."""

from pathlib import Path

import pytest
from curl_cffi import requests as curl

from ingestion.providers.yahoo import Yahoo
from ingestion.requesting.budget import Budget
from tests.unit.ingestion.providers.wire import Wire


@pytest.fixture
def wire(monkeypatch: pytest.MonkeyPatch) -> Wire:
    wire = Wire()
    monkeypatch.setattr(curl.Session, "request", lambda *args, **kwargs: wire.request(*args, **kwargs))
    return wire


@pytest.fixture
def yahoo(tmp_path: Path, wire: Wire) -> Yahoo:
    return Yahoo(tmp_path / "cache", Budget(tmp_path / "requests.json", 600))
