"""The stream's configuration: what is missing or wrong is said in one sentence; the topics follow from the source."""

import pytest
from pydantic import ValidationError

from spark_jobs.settings import Settings, problems

pytestmark = pytest.mark.unit


@pytest.fixture(autouse=True)
def empty_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("SOURCE", "DATABASE_URL", "TOPIC_PREFIX", "LOG_LEVEL"):
        monkeypatch.delenv(f"CANDLESTREAM_{name}", raising=False)


def test_what_is_missing_is_named_with_the_remedy() -> None:
    with pytest.raises(ValidationError) as raised:
        Settings()  # type: ignore[call-arg]
    assert problems(raised.value) == (
        'set CANDLESTREAM_SOURCE, CANDLESTREAM_DATABASE_URL (eval "$(./candlestream env)" does)'
    )


def test_a_bad_value_is_named_with_what_is_allowed() -> None:
    with pytest.raises(ValidationError) as raised:
        Settings(source="yahoo", database_url="x", log_level="LOUD")
    assert problems(raised.value).startswith("CANDLESTREAM_LOG_LEVEL: ")
    assert "'DEBUG', 'INFO', 'WARNING' or 'ERROR'" in problems(raised.value)


@pytest.mark.parametrize(
    ("given", "prefix"),
    [
        ({"source": "yahoo"}, ""),
        ({"source": "simulator"}, "simulator."),  # never the topics of real data, whoever forgot to say so
        ({"source": "simulator", "topic_prefix": "test."}, "test."),
    ],
)
def test_the_topics_are_the_sources(given: dict[str, str], prefix: str) -> None:
    assert Settings(database_url="x", **given).topic_prefix == prefix  # type: ignore[arg-type]
