"""The page as Streamlit runs it, over a feed that fails in every way a feed can. What it says is what is tested."""

import re
from dataclasses import replace

import pytest
from streamlit.testing.v1 import AppTest

from dashboard.adjustment import Adjustment
from dashboard.database import DatabaseProblem
from dashboard.feed import Snapshot
from dashboard.queries import Service
from tests.unit.dashboard.conftest import APPLE, make_snapshot

pytestmark = [pytest.mark.unit, pytest.mark.slow]


class FakeFeed:
    """Answers with `answer`, or raises it."""

    def __init__(self, answer):
        self.answer = answer

    def _ask(self) -> Snapshot:
        if isinstance(self.answer, Exception):
            raise self.answer
        return self.answer

    def instruments(self):
        return self._ask().instruments

    def timeframes(self, symbol):
        return self._ask().timeframes

    def read(self, request):
        self.asked = request
        return replace(self._ask(), symbol=request.symbol, timeframe=request.timeframe, adjustment=request.adjustment)


def page(feed):
    from dashboard.live_page import show

    show(feed, refresh_s=1.0)


def opened(feed, **query):
    test = AppTest.from_function(page, args=(feed,))
    for name, value in query.items():
        test.query_params[name] = value
    return test.run(timeout=20)


def said(test):
    """The sentences as they are read: a backslash only keeps Markdown from taking the next character for its own."""
    return [re.sub(r"\\(.)", r"\1", alert.value) for alert in [*test.error, *test.warning, *test.info]]


def intervals(test):
    return list(test.get("button_group")[0].options)


AWAY = DatabaseProblem("PostgreSQL at 127.0.0.1:5432 cannot be reached.", "connection refused")


def test_a_page_on_which_all_is_well_says_nothing():
    test = opened(FakeFeed(make_snapshot()))
    assert not test.exception
    assert said(test) == []
    assert test.selectbox(key="symbol").value == "AAPL"


def test_no_database_is_a_sentence_and_not_a_stack_trace():
    test = opened(FakeFeed(AWAY), symbol="AAPL")
    assert not test.exception
    assert said(test) == ["PostgreSQL at 127.0.0.1:5432 cannot be reached. This page tries again by itself."]


def test_the_page_heals_when_the_database_is_back():
    feed = FakeFeed(AWAY)
    test = opened(feed)
    feed.answer = make_snapshot()
    test.run(timeout=20)
    assert not test.exception
    assert said(test) == []
    assert test.selectbox(key="symbol").value == "AAPL"


def test_numbers_that_stand_still_are_said_to():
    feed = FakeFeed(make_snapshot())
    test = opened(feed)
    feed.answer = AWAY
    test.run(timeout=20)
    assert not test.exception
    assert said(test) == [
        "PostgreSQL at 127.0.0.1:5432 cannot be reached. This page tries again by itself. "
        "The numbers below are of 15:00:00 UTC."
    ]


@pytest.mark.parametrize(
    ("snapshot", "sentence"),
    [
        (make_snapshot(instruments=[], rows=[], timeframes=[], latest=None, quality=None, watchlist=[], sparks={}),
         "No symbol is tracked yet: ingestion adds the first ones when it starts."),
        (make_snapshot(rows=[], timeframes=[], latest=None, quality=None), "Waiting for the first candle of AAPL."),
        (make_snapshot(instruments=[replace(APPLE, state="unknown", calendar=None, timezone=None, currency=None,
                                            state_detail="Yahoo knows no symbol AAPL")],
                       rows=[], timeframes=[], latest=None, sessions=[]),
         "AAPL cannot be shown: Yahoo knows no symbol AAPL."),
    ],
)  # fmt: skip
def test_a_first_start_and_an_unknown_symbol_have_their_page(snapshot, sentence):
    test = opened(FakeFeed(snapshot))
    assert not test.exception
    assert said(test) == [sentence]


def test_the_address_chooses_symbol_and_interval():
    test = opened(FakeFeed(make_snapshot()), symbol="aapl", timeframe="1d")
    assert test.session_state["symbol"] == "AAPL"
    assert test.session_state["timeframe"] == "1d"


def test_a_symbol_that_is_not_tracked_is_said_not_to_be():
    test = opened(FakeFeed(make_snapshot()), symbol="FOO")
    assert not test.exception
    assert said(test) == ["FOO is not tracked. Tracked are AAPL."]


def test_what_the_address_says_is_shown_and_is_no_markup():
    test = opened(FakeFeed(make_snapshot()), symbol="![X](//ELSEWHERE.EXAMPLE/X)")
    assert test.warning[0].value.startswith(r"!\[X\](//ELSEWHERE.EXAMPLE/X) is not tracked")


def test_an_interval_that_does_not_exist_falls_back():
    test = opened(FakeFeed(make_snapshot()), timeframe="7m")
    assert not test.exception
    assert test.session_state["timeframe"] == "1m"


@pytest.mark.parametrize(
    ("query", "sentence", "address"),
    [
        ({"timeframe": "7q"},
         "There is no interval 7q: 1m is shown. There are 1m, 5m, 15m, 30m, 1h, 1d, 1w, 1mo.", {"timeframe": "1m"}),
        ({"prices": "both"},
         "There is no scale of prices both: split is shown. There are raw, split, total_return.", {"prices": "split"}),
    ],
)  # fmt: skip
def test_what_the_address_asks_for_in_vain_is_said_and_corrected(query, sentence, address):
    test = opened(FakeFeed(make_snapshot()), **query)
    assert said(test) == [sentence]
    assert {name: test.query_params[name] for name in address} == address
    test.run(timeout=20)
    assert said(test) == [sentence], "a refresh does not take the words away"
    test.selectbox(key="prices").set_value(Adjustment.RAW).run(timeout=20)
    assert said(test) == [], "a choice does"


def test_the_intervals_stay_when_the_symbol_has_no_bars():
    test = opened(FakeFeed(make_snapshot(timeframes=[], rows=[], latest=None)), symbol="NOPE")
    assert not test.exception
    assert intervals(test) == ["1m", "5m", "15m", "30m", "1h", "1d", "1w", "1mo"]


def test_a_stopped_stream_is_said_with_a_command_that_looks_like_one():
    silent = [Service("ingestion", "ok", "", 1.0), Service("spark", "ok", "", 32.0)]
    test = opened(FakeFeed(make_snapshot(services=silent)))
    assert said(test) == [
        "The stream is down: not heard of for 32 s. "
        "`./candlestream start spark` starts it, `./candlestream logs spark` says why it stopped."
    ]


def test_prices_are_split_adjusted_unless_someone_chooses_otherwise():
    feed = FakeFeed(make_snapshot())
    test = opened(feed)
    assert feed.asked.adjustment == "split"
    assert test.selectbox(key="prices").options == ["As printed", "Split-adjusted", "Total return"]
    test.selectbox(key="prices").set_value(Adjustment.RAW).run(timeout=20)
    assert not test.exception
    assert feed.asked.adjustment == "raw"
    assert feed.asked.since_ms is None, "bars of another scale are read anew"
    assert test.query_params["prices"] == "raw"


@pytest.mark.parametrize(("asked", "shown"), [("total_return", "total_return"), ("raw", "raw"), ("both", "split")])
def test_the_address_chooses_the_scale_of_prices(asked, shown):
    feed = FakeFeed(make_snapshot())
    test = opened(feed, prices=asked)
    assert not test.exception
    assert feed.asked.adjustment == shown


def test_only_intervals_with_bars_are_offered():
    test = opened(FakeFeed(make_snapshot(timeframes=["1m", "1d"])))
    assert test.session_state["offered"] == (["AAPL"], ["1m", "1d"])
