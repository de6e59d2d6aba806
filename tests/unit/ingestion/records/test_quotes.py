from collections.abc import Callable
from dataclasses import replace

import pytest

from ingestion.providers.base import Quote
from ingestion.records.instruments import Instrument
from ingestion.records.quotes import Repeats, tick_of
from market.contracts import Tick
from market.errors import Reason, Rejected

pytestmark = pytest.mark.unit

At = Callable[[str], int]


@pytest.fixture
def quote(at: At) -> Quote:
    # Prices come as float32 from the wire.
    return Quote(
        "AAPL", at("2025-11-24T15:00"), 195.64999389648438, 1_000, True, 197.16000366210938, 0.0, 193.05999755859375
    )


def tick(quote: Quote, instrument: Instrument) -> Tick:
    return tick_of(quote, instrument, "yahoo", quote.event_ms + 50)


def test_a_quote_is_rounded_and_what_it_does_not_give_is_none(quote: Quote, apple: Instrument) -> None:
    made = tick(quote, apple)
    assert (made.price, made.day_high, made.day_low, made.previous_close) == (195.65, 197.16, None, 193.06)
    assert (made.day_volume, made.session) == (1_000, "regular")


def test_a_day_volume_of_zero_says_nothing(quote: Quote, apple: Instrument) -> None:
    assert tick(replace(quote, day_volume=0), apple).day_volume is None


def test_cryptos_rolling_day_volume_is_not_taken_for_a_sessions(quote: Quote, apple: Instrument) -> None:
    bitcoin = replace(apple, symbol="BTC-USD", instrument_type="CRYPTOCURRENCY", calendar="24/7")
    assert tick(replace(quote, symbol="BTC-USD"), bitcoin).day_volume is None


@pytest.mark.parametrize(
    ("kind", "has_volume", "day_volume"),
    [
        ("EQUITY", True, 1_000),
        ("ETF", True, 1_000),
        ("INDEX", True, 1_000),
        ("INDEX", False, None),
        ("CURRENCY", False, None),
    ],
)
def test_a_day_volume_counts_for_what_has_a_volume(
    quote: Quote, apple: Instrument, kind: str, has_volume: bool, day_volume: int | None
) -> None:
    """A feed may send one for an index or a currency all the same: of another day, or of something else."""
    instrument = replace(apple, instrument_type=kind, has_volume=has_volume)
    assert tick(quote, instrument).day_volume == day_volume


@pytest.mark.parametrize(
    ("when", "is_regular", "session"),
    [
        ("2025-11-24T14:29:59.999", False, "ext"),
        ("2025-11-24T14:30", True, "regular"),
        ("2025-11-24T20:59:59.999", True, "regular"),
        ("2025-11-24T21:00", True, "ext"),  # the closing price, repeated after the bell
        ("2025-11-27T16:00", True, "ext"),  # Thanksgiving, whatever the provider says
    ],
)
def test_a_regular_tick_is_one_for_provider_and_calendar(
    quote: Quote, apple: Instrument, at: At, when: str, is_regular: bool, session: str
) -> None:
    assert tick(replace(quote, event_ms=at(when), is_regular=is_regular), apple).session == session


@pytest.mark.parametrize(
    ("change", "reason"),
    [
        ({"price": -3.0}, Reason.BAD_PRICE),
        ({"price": float("nan")}, Reason.BAD_PRICE),
        ({"day_volume": -1}, Reason.BAD_VOLUME),
        # Nanoseconds, microseconds and seconds by mistake, and what no calendar has.
        ({"event_ms": 1_764_000_000_000_000_000}, Reason.BAD_TIME),
        ({"event_ms": 1_764_000_000_000_000}, Reason.BAD_TIME),
        ({"event_ms": 1_764_000_000}, Reason.TOO_OLD),
        ({"event_ms": -(2**62)}, Reason.BAD_TIME),
        ({"event_ms": 4_000_000_000_000}, Reason.FUTURE),
    ],
)
def test_a_quote_that_cannot_be_is_rejected(
    quote: Quote, apple: Instrument, change: dict[str, float], reason: Reason
) -> None:
    with pytest.raises(Rejected) as rejected:
        tick_of(replace(quote, **change), apple, "yahoo", quote.event_ms + 50)
    assert rejected.value.reason is reason


def test_only_what_is_said_twice_in_a_row_is_a_repeat(quote: Quote, apple: Instrument) -> None:
    first = tick(quote, apple)
    again = replace(first, fetched_ms=first.fetched_ms + 900)
    more_volume = replace(first, day_volume=1_100)
    other_price = replace(first, price=195.7)
    repeats = Repeats()
    told = [repeats.is_repeat(each) for each in (first, again, more_volume, other_price, again, first)]
    assert told == [False, True, False, False, False, True]


def test_repeats_are_told_by_symbol(quote: Quote, apple: Instrument) -> None:
    first = tick(quote, apple)
    repeats = Repeats()
    assert not repeats.is_repeat(first)
    assert not repeats.is_repeat(replace(first, symbol="MSFT"))
    assert repeats.is_repeat(first)
