"""What stands in the chart's place while there is no chart."""

from dataclasses import replace

import pytest

from dashboard.empty import empty
from tests.unit.dashboard.conftest import APPLE, make_snapshot

pytestmark = pytest.mark.unit
MICROSOFT = replace(APPLE, symbol="MSFT", name="Microsoft Corporation")
UNKNOWN = replace(APPLE, symbol="ZZZZ", state="unknown")


def test_a_symbol_with_bars_needs_no_other_words():
    assert empty(make_snapshot()) == ""


@pytest.mark.parametrize("symbol", ["NOPE", "ZZZZ"])
def test_in_place_of_a_symbol_that_cannot_be_shown_those_that_can_are_links(symbol):
    html = empty(make_snapshot(symbol=symbol, rows=[], timeframe="1d", instruments=[APPLE, MICROSOFT, UNKNOWN]))
    assert 'href="?symbol=AAPL&amp;timeframe=1d" data-symbol="AAPL"' in html
    assert 'data-symbol="MSFT"' in html
    assert "Microsoft Corporation" in html
    assert 'data-symbol="ZZZZ"' not in html


@pytest.mark.parametrize(
    ("values", "words"),
    [
        ({"instruments": []}, "The chart is drawn when a symbol has its first candle."),
        ({"timeframes": []}, "The chart is drawn when AAPL has its first candle."),
        ({"timeframes": ["1d", "1w"]}, "AAPL has candles of 1d, 1w."),
    ],
)
def test_what_is_awaited_is_said(values, words):
    assert f"<p>{words}</p>" in empty(make_snapshot(rows=[], **values))


def test_a_name_from_outside_is_no_markup():
    assert "<img" not in empty(make_snapshot(symbol="NOPE", rows=[], instruments=[replace(APPLE, name="<img src=x>")]))
