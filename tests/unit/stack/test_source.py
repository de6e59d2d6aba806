import pytest

from stack import source
from stack.errors import Exit, StackError
from stack.source import decide, short
from stack.state import State

pytestmark = pytest.mark.unit


@pytest.fixture
def yahoo(monkeypatch: pytest.MonkeyPatch) -> list[str | None]:
    """What the look at Yahoo answers; emptied by each look."""
    answers: list[str | None] = []
    monkeypatch.setattr(source, "unreachable", lambda: answers.pop())
    return answers


def test_an_empty_home_takes_yahoo_when_it_answers(yahoo: list[str | None]) -> None:
    yahoo.append(None)
    assert decide(None, None)[0] == "yahoo"


def test_an_empty_home_without_connection_takes_the_simulated_exchange_and_says_why(yahoo: list[str | None]) -> None:
    yahoo.append("could not resolve host")
    chosen, why = decide(None, None)
    assert chosen == "simulator"
    assert "could not resolve host" in why


def test_a_home_keeps_its_source_without_asking_the_network(yahoo: list[str | None]) -> None:
    assert decide(State(source="yahoo", source_reason="once"), None) == ("yahoo", "once")
    assert decide(State(source="simulator"), "simulator")[0] == "simulator"


def test_what_is_asked_for_is_taken_without_a_look(yahoo: list[str | None]) -> None:
    assert decide(None, "yahoo")[0] == "yahoo"
    assert decide(None, "simulator")[0] == "simulator"


def test_a_home_refuses_another_source_and_names_the_remedy() -> None:
    with pytest.raises(StackError, match="--home DIR") as caught:
        decide(State(source="simulator"), "yahoo")
    assert caught.value.code == Exit.OTHER_SOURCE


def test_sources_share_neither_database_nor_topics() -> None:
    real, simulated = State(source="yahoo"), State(source="simulator")
    assert (real.database, real.topic_prefix) == ("candlestream", "")
    assert (simulated.database, simulated.topic_prefix) == ("candlestream_simulator", "simulator.")


def test_curls_advice_is_left_out() -> None:
    message = (
        "Failed to perform, curl: (6) Could not resolve host: example. See https://example first for more details."
    )
    assert short(message) == "curl: (6) Could not resolve host: example"
