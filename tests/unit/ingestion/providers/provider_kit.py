"""The contract that every provider keeps, as tests. A provider's own test module subclasses one of the two classes below and
gives `case`: the provider on answers written by hand, and what is true of them.
"""

import time
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any
from zoneinfo import ZoneInfo

import pytest

from ingestion.errors import UnknownSymbol
from ingestion.providers.base import LiveProvider, MalformedFrame, Provider
from ingestion.records.instruments import MOST_DECIMALS
from ingestion.records.rows import records_of
from ingestion.records.splits import SplitFactors
from market.calendars import session_at, session_of, timezone_of
from market.contracts import Bar
from market.timeframes import TIMEFRAMES


@dataclass
class Case:
    """What the tests ask about. `minutes` are the starts of the symbol's one-minute rows (milliseconds), oldest first; `quiet` is a
    window, (from, to), in which it has none; `closes` the prices that the rows have."""

    provider: Any
    symbol: str
    unknown: str
    minutes: list[int]
    closes: list[float]
    quiet: tuple[int, int]
    # Of a live feed: frames that hold a quote of `symbol`, frames of the protocol without one, and frames that are broken.
    quotes: list[str | bytes] = field(default_factory=list)
    control: list[str | bytes] = field(default_factory=list)
    garbage: list[str | bytes] = field(default_factory=list)


class ProviderContract:
    """For every provider."""

    @pytest.fixture
    def case(self) -> Case:
        raise NotImplementedError("a provider's test module gives its case")

    def test_its_reach_names_timeframes_that_the_platform_has(self, case: Case) -> None:
        provider: Provider = case.provider
        assert provider.title
        assert {"1m", "1d"} <= set(provider.reach) <= set(TIMEFRAMES)
        for reach in provider.reach.values():
            assert reach.days_back is None or reach.days_back > 0
            assert reach.days_a_request is None or 0 < reach.days_a_request <= (reach.days_back or 10**6)

    def test_a_symbol_is_described_with_a_calendar_its_zone_and_a_precision(self, case: Case) -> None:
        found = case.provider.describe(case.symbol)
        assert found.symbol == case.symbol
        assert found.timezone == timezone_of(found.calendar) or ZoneInfo(found.timezone)
        assert 0 <= found.price_precision <= MOST_DECIMALS
        assert found.instrument_type == found.instrument_type.upper()

    def test_a_symbol_that_is_not_there_is_unknown_and_nothing_else(self, case: Case) -> None:
        with pytest.raises(UnknownSymbol):
            case.provider.describe(case.unknown)

    def test_history_is_oldest_first_each_minute_once_with_the_exchanges_date(self, case: Case) -> None:
        answer = case.provider.history(case.symbol, "1m", case.minutes[0], case.minutes[-1] + 60_000)
        assert [row.ts_ms for row in answer.rows] == case.minutes
        assert [row.close for row in answer.rows] == pytest.approx(case.closes)
        zone = ZoneInfo(case.provider.describe(case.symbol).timezone)
        for row in answer.rows:
            assert row.day == datetime.fromtimestamp(row.ts_ms / 1000, UTC).astimezone(zone).date()

    def test_a_window_is_from_its_start_to_before_its_end(self, case: Case) -> None:
        answer = case.provider.history(case.symbol, "1m", case.minutes[1], case.minutes[-1])
        assert [row.ts_ms for row in answer.rows] == case.minutes[1:-1]

    def test_a_window_without_rows_is_an_answer_and_no_error(self, case: Case) -> None:
        assert case.provider.history(case.symbol, "1m", *case.quiet).rows == []

    def test_the_newest_session_is_the_last_one_there_is(self, case: Case) -> None:
        calendar = case.provider.describe(case.symbol).calendar
        answer = case.provider.newest(case.symbol, "1m")
        assert answer.rows
        last = session_of(calendar, case.minutes[-1]).session_date
        assert {session_of(calendar, row.ts_ms).session_date for row in answer.rows} == {last}

    def test_an_answer_says_when_it_was_asked_for(self, case: Case) -> None:
        before_ms = int(time.time() * 1000)
        asked_ms = case.provider.history(case.symbol, "1m", *case.quiet).asked_ms
        assert before_ms <= asked_ms <= int(time.time() * 1000)

    def test_the_same_question_has_the_same_answer(self, case: Case) -> None:
        first, second = (case.provider.history(case.symbol, "1m", case.minutes[0], None).rows for _ in range(2))
        assert first == second

    def test_its_rows_are_records_of_the_contract(self, case: Case) -> None:
        instrument = case.provider.describe(case.symbol)
        answer = case.provider.history(case.symbol, "1m", case.minutes[0], None)
        records = records_of(answer, instrument, "1m", "yahoo", SplitFactors(answer.splits))
        assert records.dead_letters == []
        # The last row of a session that is open may be in progress.
        assert all(isinstance(bar, Bar) and bar.is_complete for bar in records.bars[:-1])
        regular = [ms for ms in case.minutes if session_at(instrument.calendar, ms)]
        assert [bar.event_ms for bar in records.bars if bar.session == "regular"] == regular


class LiveProviderContract(ProviderContract):
    """For a provider with a live feed."""

    def test_the_feed_is_asked_for_symbols_by_name_and_again_as_often_as_one_likes(self, case: Case) -> None:
        provider: LiveProvider = case.provider
        assert provider.feed_url.startswith("wss://")
        for message in (provider.subscribe([case.symbol]), provider.unsubscribe([case.symbol])):
            assert case.symbol.lower() in message.lower()
        assert provider.subscribe([case.symbol]) == provider.subscribe([case.symbol])

    def test_a_quote_has_a_symbol_a_price_and_a_time_in_milliseconds(self, case: Case) -> None:
        assert case.quotes
        for frame in case.quotes:
            quote = case.provider.decode(frame)
            assert quote.symbol == case.symbol
            assert quote.price > 0
            assert datetime(2000, 1, 1, tzinfo=UTC) < datetime.fromtimestamp(quote.event_ms / 1000, UTC)
            assert quote.day_volume >= 0

    def test_a_frame_without_a_quote_is_none(self, case: Case) -> None:
        assert [case.provider.decode(frame) for frame in case.control] == [None] * len(case.control)

    def test_a_broken_frame_is_said_to_be_one(self, case: Case) -> None:
        assert case.garbage
        for frame in case.garbage:
            with pytest.raises(MalformedFrame):
                case.provider.decode(frame)
