"""How often a symbol is asked for, and what a poll asks for next."""

from collections.abc import Callable
from dataclasses import replace
from datetime import date

import pytest

from ingestion.errors import Malformed, ProviderError, Throttled, Unavailable, UnknownSymbol
from ingestion.poll.pace import Pace
from ingestion.poll.plan import Asked, confirmed, pace_of, plan
from ingestion.poll.standing import delisted_sentence, standing
from ingestion.records.instruments import Instrument

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
        (1, 60.0, "1 symbol: confirmed every minute"),
        (0, 60.0, "no tracked exchange is open"),
    ],
)
def test_the_pace_follows_from_the_budget(symbols: int, per_minute: float, sentence: str) -> None:
    assert Pace(symbols, per_minute).sentence() == sentence


def test_the_pace_says_of_how_many_it_speaks() -> None:
    assert Pace(8, 60.0, closed=2).sentence() == "8 symbols of 10, whose exchange is open: each confirmed every minute"
    assert Pace(1, 60.0, closed=4).sentence() == "1 symbol of 5, whose exchange is open: confirmed every minute"


def test_minutes_and_days_together_fit_into_the_budget() -> None:
    pace = Pace(500, 60.0)
    assert 500 / pace.minutes_between + 500 / pace.days_between == pytest.approx(60.0)


def test_the_pace_is_that_of_the_open_exchanges(apple: Instrument, at: At) -> None:
    coin = replace(apple, symbol="BTC-USD", calendar="24/7")
    assert pace_of([apple, coin], 60, at(NOON)).symbols == 2
    assert pace_of([apple, coin], 60, at("2025-11-23T17:00")) == Pace(1, 60, closed=1)


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
            {"minutes": "2025-11-24T22:10", "day_is_confirmed": True, "covered_ms": CLOSE, "day": CLOSE},
            ["1d"],
        ),
        (
            "2025-11-25T02:00",
            {"minutes": "2025-11-24T22:30", "day_is_confirmed": True, "covered_ms": CLOSE, "day": CLOSE},
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


FRIDAY, MONDAY = date(2025, 11, 21), date(2025, 11, 24)
FRIDAYS_OPEN, FRIDAYS_CLOSE = "2025-11-21T14:30", "2025-11-21T21:00"


@pytest.mark.parametrize(
    ("covered", "through", "earlier"),
    [
        ({MONDAY: [(OPEN, "2025-11-24T16:50")], FRIDAY: [(FRIDAYS_OPEN, FRIDAYS_CLOSE)]}, "2025-11-24T16:50", None),
        # A hole of the feed that was healed says nothing of what lies before it, at its bell or at ours.
        (
            {
                FRIDAY: [(FRIDAYS_OPEN, "2025-11-21T20:30"), ("2025-11-21T20:50", FRIDAYS_CLOSE)],
                MONDAY: [("2025-11-24T15:00", CLOSE)],
            },
            None,
            FRIDAYS_OPEN,
        ),
        # Nothing polled on Friday, but on the Thursday.
        ({date(2025, 11, 20): [("2025-11-20T14:30", "2025-11-20T21:00")]}, None, FRIDAYS_OPEN),
        # What lies before the first session that was asked for is nobody's debt.
        ({MONDAY: [(OPEN, "2025-11-24T16:50")]}, "2025-11-24T16:50", None),
        ({}, None, None),
    ],
)
def test_a_session_is_confirmed_from_its_open_on_and_the_one_before_to_its_bell(
    at: At, covered: dict[date, list[tuple[str, str]]], through: str | None, earlier: str | None
) -> None:
    ranges = {day: [(at(start), at(end)) for start, end in pieces] for day, pieces in covered.items()}
    assert confirmed("XNYS", ranges, at(NOON)) == tuple(at(text) if text else 0 for text in (through, earlier))


@pytest.mark.parametrize(
    ("now", "minutes"),
    [
        # In the night before the open, where the last poll was in the session; then not at once again.
        ("2025-11-24T09:00", "2025-11-21T19:00"),
        ("2025-11-24T09:00", "2025-11-24T08:54"),
        (NOON, "2025-11-24T16:59"),
    ],
)
def test_what_the_session_before_lacks_is_asked_for_with_the_next_minutes(
    apple: Instrument, at: At, now: str, minutes: str
) -> None:
    asked = asked_at(at, minutes, now, earlier_ms=at(FRIDAYS_OPEN), covered_ms=at(OPEN))
    work = plan([apple], {"AAPL": asked}, Pace(1, 60), at(now))
    assert [(w.timeframe, w.since_ms) for w in work] == [("1m", at(FRIDAYS_OPEN))]


def test_a_session_that_gives_no_answer_is_not_asked_for_every_minute_of_the_night(apple: Instrument, at: At) -> None:
    asked = asked_at(at, "2025-11-24T08:56", "2025-11-24T08:56", earlier_ms=at(FRIDAYS_OPEN))
    assert plan([apple], {"AAPL": asked}, Pace(1, 60), at("2025-11-24T09:00")) == []


@pytest.mark.parametrize(
    ("since", "asked_for"),
    [
        (OPEN, None),
        # Five days are in an answer about the newest ones; what is older is asked for by its date, however long the outage.
        ("2025-11-21T14:30", None),
        ("2025-11-19T14:30", "2025-11-19T14:30"),
        ("2025-11-03T14:30", "2025-11-03T14:30"),
    ],
)
def test_days_are_asked_for_since_the_first_that_the_provider_has_not_confirmed(
    apple: Instrument, at: At, since: str, asked_for: str | None
) -> None:
    asked = asked_at(at, "2025-11-24T16:59:50", "2025-11-24T16:00", days_ms=at(since))
    [day] = [w for w in plan([apple], {"AAPL": asked}, Pace(1, 60), at(NOON)) if w.timeframe == "1d"]
    assert day.since_ms == (at(asked_for) if asked_for else None)


@pytest.mark.parametrize(("is_confirmed", "frames"), [(False, ["1d"]), (True, [])])
def test_a_day_is_asked_for_until_the_providers_own_row_is_there_even_in_the_night(
    apple: Instrument, at: At, is_confirmed: bool, frames: list[str]
) -> None:
    # The minutes together may be final long before; they are no row of the provider.
    asked = asked_at(at, "2025-11-25T08:50", "2025-11-25T08:45", covered_ms=at(CLOSE), day_is_confirmed=is_confirmed)
    work = plan([apple], {"AAPL": asked}, Pace(0, 60), at("2025-11-25T09:00"))
    assert [w.timeframe for w in work] == frames


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
