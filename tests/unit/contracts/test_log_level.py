"""CANDLESTREAM_LOG_LEVEL, which every process reads with settings of its own."""

from typing import Any

import pytest
from pydantic import ValidationError

from dashboard.settings import DashboardSettings
from ingestion.settings import Settings as IngestionSettings
from simulator.settings import Settings as SimulatorSettings
from spark_jobs.settings import Settings as StreamSettings

pytestmark = pytest.mark.unit

ALL = [DashboardSettings, IngestionSettings, SimulatorSettings, StreamSettings]


@pytest.fixture(autouse=True)
def what_must_be_set(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("CANDLESTREAM_SOURCE", "simulator")
    monkeypatch.setenv("CANDLESTREAM_DATABASE_URL", "postgresql:///none")


@pytest.mark.parametrize("settings", ALL)
@pytest.mark.parametrize(("given", "meant"), [("debug", "DEBUG"), ("Warning", "WARNING"), ("ERROR", "ERROR")])
def test_a_level_is_taken_in_either_case(
    settings: Any, given: str, meant: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("CANDLESTREAM_LOG_LEVEL", given)
    assert settings().log_level == meant


@pytest.mark.parametrize("settings", ALL)
@pytest.mark.parametrize("given", ["loud", "critical", "10"])
def test_what_is_no_level_is_refused(settings: Any, given: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("CANDLESTREAM_LOG_LEVEL", given)
    with pytest.raises(ValidationError, match="log_level"):
        settings()
