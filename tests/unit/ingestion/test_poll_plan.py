"""How often a symbol is asked for, and what a poll asks for next."""

from collections.abc import Callable
from dataclasses import replace

import pytest

from ingestion.errors import Malformed, ProviderError, Throttled, Unavailable, UnknownSymbol
from ingestion.instruments import Instrument
from ingestion.pace import Pace
from ingestion.poll_plan import Asked, pace_of, plan
from ingestion.standing import delisted_sentence, standing

pytestmark = pytest.mark.unit

At = Callable[[str], int]
# A Monday in New York: 14:30 to 21:00 UTC.
OPEN, NOON, CLOSE = "2025-11-24T14:30", "2025-11-24T17:00", "2025-11-24T21:00"
MINUTE_MS = 60_000


@pytest.mark.parametrize(
    ("symbols", "per_minute", "sentence"),
    [
        (5, 60.0, "5 symbols: each confirmed every minute"),
        (500, 60.0, "500 symbols: each confirmed every 9 minutes"),
        # A throttled provider shrinks the budget, and so the pace.
        (500, 15.0, "500 symbols: each confirmed every 36 minutes"),
        (0, 60.0, "no tracked exchange is open"),
    ],
)
def test_the_pace_follows_from_the_budget(symbols: int, per_minute: float, sentence: str) -> None:
    assert Pace(symbols, per_minute).sentence() == sentence


def test_minutes_and_days_together_fit_into_the_budget() -> None:
    pace = Pace(500, 60.0)
    assert 500 / pace.minutes_between + 500 / pace.days_between == pytest.approx(60.0)


def test_the_pace_is_that_of_the_open_exchanges(apple: Instrument, at: At) -> None:
    coin = replace(apple, symbol="BTC-USD", calendar="24/7")
    assert pace_of([apple, coin], 60, at(NOON)).symbols == 2
    assert pace_of([apple, coin], 60, at("2025-11-23T17:00")).symbols == 1


def asked_at(at: At, minutes: str, day: str = NOON, **fields: object) -> Asked:
    return replace(Asked(at(minutes), 0, at(day), at(OPEN), False), **fields)


def test_who_has_waited_longest_is_first_and_who_was_never_asked_before_all(apple: Instrument, at: At) -> None:
    now = at(NOON)
    symbols = [replace(apple, symbol=symbol) for symbol in "ABC"]
    asked = {"A": asked_at(at, "2025-11-24T16:59"), "B": asked_at(at, "2025-11-24T16:51"), "C": Asked(day_ms=now)}
    work = plan(symbols, asked, Pace(3, 60), now)
    assert [(w.instrument.symbol, w.timeframe) for w in work] == [("C", "1m"), ("B", "1m"), ("A", "1m")]


@pytest.mark.parametrize(
    ("now", "asked", "frames"),
    [
        (NOON, {"minutes": "2025-11-24T16:59"}, ["1m"]),
        # The day in progress, every ten minutes.
        (NOON, {"minutes": "2025-11-24T16:59", "day": "2025-11-24T16:49"}, ["1d", "1m"]),
        # After the bell until the provider has spoken for all of the session.
        ("2025-11-24T21:02", {"minutes": "2025-11-24T21:01", "day": "2025-11-24T21:01"}, ["1m"]),
        ("2025-11-24T21:02", {"minutes": "2025-11-24T21:01", "day": "2025-11-24T21:01", "covered_ms": CLOSE}, []),
        # In the extended hours now and then, at night hardly.
        ("2025-11-24T22:30", {"minutes": "2025-11-24T22:10", "day": "2025-11-24T22:25", "covered_ms": CLOSE}, ["1m"]),
        (
            "2025-11-25T04:00",
            {"minutes": "2025-11-24T22:10", "day_is_final": True, "covered_ms": CLOSE, "day": CLOSE},
            ["1d"],
        ),
        (
            "2025-11-25T02:00",
            {"minutes": "2025-11-24T22:30", "day_is_final": True, "covered_ms": CLOSE, "day": CLOSE},
            ["1m"],
        ),
    ],
)
def test_a_closed_and_confirmed_exchange_is_left_alone(
    apple: Instrument, at: At, now: str, asked: dict[str, object], frames: list[str]
) -> None:
    fields = {name: at(value) if name == "covered_ms" else value for name, value in asked.items()}  # type: ignore[arg-type]
    work = plan([apple], {"AAPL": asked_at(at, **fields)}, Pace(1, 60), at(now))  # type: ignore[arg-type]
    assert sorted(w.timeframe for w in work) == frames


@pytest.mark.parametrize(
    ("error", "rows", "is_open", "was_known", "word"),
    [
        (None, 5, True, True, "trading"),
        (None, 0, False, True, "closed"),
        (None, 0, True, True, "quiet"),
        (Throttled("x"), 0, True, True, "throttled"),
        (Unavailable("x"), 0, True, True, "not asked"),
        (Malformed("x"), 0, True, True, "not asked"),
        (UnknownSymbol("x"), 0, True, False, "unknown"),
        (UnknownSymbol("x"), 0, False, True, "possibly delisted"),
    ],
)
def test_delisted_closed_throttled_and_unknown_are_told_apart(
    error: ProviderError | None, rows: int, is_open: bool, was_known: bool, word: str
) -> None:
    assert standing(error, rows, is_open, was_known) == word


def test_possibly_delisted_says_who_said_what_and_since_when() -> None:
    said = "No data found, symbol may be delisted"
    assert delisted_sentence("Yahoo", said, "2022-10-27") == (
        "possibly delisted: Yahoo described it once and now answers: No data found, symbol may be delisted;"
        " its last bar is of 2022-10-27"
    )
