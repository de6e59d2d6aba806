"""Which failures are tried again, and how often."""

import time

import pytest

from ingestion.errors import Malformed, ProviderError, Throttled, Unauthorised, Unavailable, UnknownSymbol
from ingestion.requesting.retries import briefly, patiently

pytestmark = pytest.mark.unit


class Provider:
    """Fails in turn, then answers."""

    def __init__(self, *errors: ProviderError) -> None:
        self.errors = list(errors)
        self.asked = 0

    def __call__(self) -> str:
        self.asked += 1
        if self.errors:
            raise self.errors.pop(0)
        return "answer"


@pytest.fixture(autouse=True)
def no_sleep(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(time, "sleep", lambda _: None)


@pytest.mark.parametrize(
    ("errors", "asked", "ends"),
    [
        ([Unavailable("x")] * 3, 4, None),
        ([Malformed("cut short")], 2, None),
        ([Malformed("cut short")] * 2, 2, Malformed),
        ([Throttled("x", 1.0)], 1, Throttled),
        ([Unauthorised("x")], 1, Unauthorised),
        ([UnknownSymbol("x")], 1, UnknownSymbol),
        # A rest that is longer than there is time is not begun.
        ([Unavailable("x", 60.0)], 1, Unavailable),
    ],
)
def test_a_poll_tries_again_what_a_moment_mends(errors: list[ProviderError], asked: int, ends: type | None) -> None:
    provider = Provider(*errors)
    if ends is None:
        assert briefly(provider, 30.0) == "answer"
    else:
        with pytest.raises(ends):
            briefly(provider, 30.0)
    assert provider.asked == asked


@pytest.mark.parametrize("error", [Throttled("x", 40.0), Unauthorised("x"), Unavailable("x")])
def test_a_backfill_waits_for_a_provider_that_refuses_or_is_away(error: ProviderError) -> None:
    provider = Provider(*[error] * 4)
    assert patiently(provider, 1_800.0) == "answer"
    assert provider.asked == 5


def test_nobody_asks_again_for_a_symbol_that_is_not_there() -> None:
    with pytest.raises(UnknownSymbol):
        patiently(Provider(UnknownSymbol("x")), 1_800.0)
