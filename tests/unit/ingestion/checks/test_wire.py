"""What a look at the wire makes of a provider that is away, refuses, or speaks otherwise."""

import asyncio
import socket

import pytest

from ingestion.checks import wire as wire_check
from ingestion.checks.wire import Differs, Verdict, found
from ingestion.errors import Malformed, ProviderError, Throttled, Unauthorised, Unavailable, UnknownSymbol
from ingestion.records.instruments import Instrument

pytestmark = pytest.mark.unit


@pytest.mark.parametrize(
    ("error", "verdict"),
    [
        (Unavailable("could not resolve host"), Verdict.NOT_ASKED),
        (Throttled("throttled", 30.0), Verdict.NOT_ASKED),
        (Unauthorised("refused with 401"), Verdict.DIFFERS),
        (UnknownSymbol("AAPL: no such symbol"), Verdict.DIFFERS),
        (Malformed("an answer with status 200"), Verdict.DIFFERS),
        (Differs("3 rows, not in order"), Verdict.DIFFERS),
    ],
)
def test_only_who_answered_can_differ(error: ProviderError | Differs, verdict: Verdict) -> None:
    def fails() -> str:
        raise error

    assert found("days", fails).verdict == verdict
    assert found("days", lambda: "250 days").verdict == Verdict.OK


class Feed:
    def __init__(self, port: int) -> None:
        self.feed_url = f"ws://127.0.0.1:{port}"


def test_a_feed_that_nobody_serves_was_not_asked(apple: Instrument) -> None:
    with socket.socket() as unheard:
        unheard.bind(("127.0.0.1", 0))
        with pytest.raises(Unavailable, match="cannot be reached"):
            asyncio.run(wire_check.feed(Feed(unheard.getsockname()[1]), apple, lambda: 0))  # type: ignore[arg-type]


def test_a_feed_that_takes_the_connection_and_says_nothing_was_not_asked(
    apple: Instrument, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(wire_check, "FEED_S", 0.2)
    with socket.socket() as silent:
        silent.bind(("127.0.0.1", 0))
        silent.listen()
        with pytest.raises(Unavailable, match="did not answer"):
            asyncio.run(wire_check.feed(Feed(silent.getsockname()[1]), apple, lambda: 0))  # type: ignore[arg-type]
