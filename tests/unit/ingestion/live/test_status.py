from dataclasses import replace
from typing import Any

import pytest

from ingestion.errors import ProviderError, Throttled, Unavailable
from ingestion.live.status import Situation, line
from ingestion.poll.once import Summary, status_line
from ingestion.poll.pace import Pace

pytestmark = pytest.mark.unit

WELL = Situation(
    symbols=5,
    tracked=5,
    unknown=0,
    is_connected=True,
    feed_state="connected",
    is_trading=True,
    is_broker_away=False,
    queued=0,
    ticks_per_s=8.04,
    tick_age_s=0.31,
    provider_title="Yahoo",
    trouble=None,
    next_try_s=0.0,
)
LOST = "the feed's connection was aborted (1006), next try in 3 s"


@pytest.mark.parametrize(
    ("change", "state", "detail"),
    [
        ({}, "ok", "5 symbols, 8.0 ticks a second, the last 0.3 s ago"),
        ({"is_trading": False}, "ok", "5 symbols, their exchanges are closed"),
        ({"trouble": Throttled("x"), "next_try_s": 40.2}, "throttled", "throttled by Yahoo, next try in 40 s"),
        ({"trouble": Unavailable("refused"), "next_try_s": 4}, "retrying", "Yahoo: refused, next try in 4 s"),
        ({"is_connected": False, "feed_state": LOST}, "retrying", LOST),
        ({"symbols": 0, "tracked": None}, "starting", "the tracked list is being read"),
        ({"symbols": 0, "tracked": 5, "unknown": 1}, "starting", "asking Yahoo about 4 symbols"),
        ({"symbols": 0, "tracked": 2, "unknown": 2}, "waiting", "Yahoo knows none of the 2 tracked symbols"),
        (
            {"symbols": 0, "tracked": 0},
            "waiting",
            "no symbol is tracked: add one with `./candlestream symbols add SYMBOL`",
        ),
        (
            {"symbols": 0, "trouble": Unavailable("AAPL: no route"), "next_try_s": 9.6},
            "retrying",
            "Yahoo: AAPL: no route, next try in 10 s",
        ),
        (
            {"symbols": 0, "trouble": Throttled("x"), "next_try_s": 30},
            "throttled",
            "throttled by Yahoo, next try in 30 s",
        ),
        (
            # The breaker says how long it rests; the service knows what is left of that.
            {"trouble": Unavailable("query2 failed 7 times in a row", 7.0), "next_try_s": 1.0},
            "retrying",
            "Yahoo: query2 failed 7 times in a row, next try in 1 s",
        ),
        (
            {"provider_title": "the simulated exchange", "trouble": Unavailable("refused"), "next_try_s": 4},
            "retrying",
            "The simulated exchange: refused, next try in 4 s",
        ),
        ({"is_broker_away": True, "queued": 345}, "waiting", "Kafka is away, 345 records wait for it"),
    ],
)
def test_the_status_is_a_sentence_about_what_is_most_pressing(change: dict[str, Any], state: str, detail: str) -> None:
    assert line(replace(WELL, **change)) == (state, detail)


@pytest.mark.parametrize(
    ("summary", "stopped", "state", "detail"),
    [
        (
            Summary(symbols=5, requests=6, rows=30, bars=7),
            None,
            "ok",
            "5 symbols: each confirmed every minute; 6 requests, 30 rows, 7 new or changed",
        ),
        (
            Summary(symbols=5, postponed=3),
            None,
            "ok",
            "5 symbols: each confirmed every minute; 0 requests, 0 rows, 0 new or changed; 3 requests left to the next poll",
        ),
        (
            Summary(symbols=5, delisted=["TWTR"]),
            None,
            "ok",
            "5 symbols: each confirmed every minute; 0 requests, 0 rows, 0 new or changed; possibly delisted: TWTR",
        ),
        (
            Summary(),
            Throttled("x", 40.0),
            "throttled",
            "throttled by Yahoo, next try in 40 s; 5 symbols: each confirmed every minute",
        ),
        (Summary(), Unavailable("AAPL: refused"), "retrying", "Yahoo: AAPL: refused, next try in 60 s"),
        (
            Summary(),
            Unavailable("query2 failed 5 times in a row", 20.0),
            "retrying",
            "Yahoo: query2 failed 5 times in a row, next try in 20 s",
        ),
    ],
)
def test_a_polls_status_says_what_it_did_or_what_stopped_it(
    summary: Summary, stopped: ProviderError | None, state: str, detail: str
) -> None:
    assert status_line(summary, "Yahoo", Pace(5, 60.0), stopped) == (state, detail)
