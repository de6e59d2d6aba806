"""stack/log.py: lines that a machine reads, of the level that was asked for."""

import io
import json
from collections.abc import Iterator

import pytest
import structlog

from stack.log import configure

pytestmark = pytest.mark.unit


@pytest.fixture(autouse=True)
def _log_as_before() -> Iterator[None]:
    before = structlog.get_config()
    yield
    structlog.configure(**before)


def lines_of_each_level() -> list[dict[str, str]]:
    out = io.StringIO()
    configure(out)
    log = structlog.get_logger(service="obey")
    for level in ("debug", "info", "warning", "error"):
        getattr(log, level)("said", by=level)
    return [json.loads(line) for line in out.getvalue().splitlines()]


def test_a_line_is_json_with_level_time_and_service(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("CANDLESTREAM_LOG_LEVEL", "ERROR")
    (line,) = lines_of_each_level()
    assert line.pop("timestamp").endswith("Z")
    assert line == {"event": "said", "by": "error", "level": "error", "service": "obey"}


@pytest.mark.parametrize(
    ("level", "said"),
    [
        ("DEBUG", ["debug", "info", "warning", "error"]),
        ("WARNING", ["warning", "error"]),
        (None, ["info", "warning", "error"]),
        ("LOUD", ["info", "warning", "error"]),
    ],
)
def test_the_level_is_the_one_asked_for_and_info_without_one(
    monkeypatch: pytest.MonkeyPatch, level: str | None, said: list[str]
) -> None:
    if level is None:
        monkeypatch.delenv("CANDLESTREAM_LOG_LEVEL", raising=False)
    else:
        monkeypatch.setenv("CANDLESTREAM_LOG_LEVEL", level)
    assert [line["level"] for line in lines_of_each_level()] == said
