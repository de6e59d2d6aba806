"""What the dashboard is told by its environment."""

import pytest
from streamlit.testing.v1 import AppTest

from dashboard import wiring
from stack.home import REPO

pytestmark = [pytest.mark.unit, pytest.mark.slow]


@pytest.mark.parametrize(
    ("given", "named"),
    [
        ({}, "CANDLESTREAM_DATABASE_URL"),
        ({"CANDLESTREAM_LOG_LEVEL": "LOUD"}, "CANDLESTREAM_LOG_LEVEL"),
        ({"CANDLESTREAM_REFRESH_S": "0"}, "CANDLESTREAM_REFRESH_S"),
    ],
)
def test_bad_configuration_is_a_sentence_on_the_page_that_names_the_variable(
    monkeypatch: pytest.MonkeyPatch, given: dict[str, str], named: str
) -> None:
    monkeypatch.delenv("CANDLESTREAM_DATABASE_URL", raising=False)
    if given:
        monkeypatch.setenv("CANDLESTREAM_DATABASE_URL", "postgresql://candlestream_reader@127.0.0.1:1/candlestream")
    for name, value in given.items():
        monkeypatch.setenv(name, value)
    wiring.settings.clear()
    test = AppTest.from_file(str(REPO / "dashboard" / "app.py")).run(timeout=20)
    assert not test.exception
    assert [error.value for error in test.error] == [
        f"The dashboard is not configured: {named} is missing or wrong in its environment."
    ]
