"""The quote and the rail: what they say, and that nothing from outside becomes markup."""

from dataclasses import replace
from datetime import timedelta

import pytest

from dashboard.deployment import Deployment
from dashboard.queries import Quality, Refused, Service, Watched
from dashboard.quote import quote, tab_title
from dashboard.rail import rail, spark
from tests.unit.dashboard.conftest import APPLE, CLOSE, NOW, make_snapshot

pytestmark = pytest.mark.unit
LATEST = make_snapshot().latest


def test_the_quote_has_price_change_ranges_and_mean():
    html = quote(make_snapshot())
    for text in (
        "AAPL",
        "Apple Inc.",
        "101.00",
        "+1.00",
        "+1.00 %",
        "vs close 100.00",
        "99.50",
        "102.50",
        "80.00",
        "140.00",
    ):
        assert text in html
    assert "1.23M" in html
    assert "100.75" in html


def test_an_open_market_counts_the_age_of_its_newest_number():
    html = quote(make_snapshot(latest=replace(LATEST, event_time=NOW - timedelta(seconds=20))))
    since_ms = int((NOW - timedelta(seconds=20)).timestamp() * 1000)
    assert f'data-since-ms="{since_ms}"' in html
    assert 'data-age="slow"' in html
    assert "20 s" in html


def test_a_closed_market_says_when_it_last_traded_and_counts_nothing():
    html = quote(make_snapshot(now=CLOSE + timedelta(hours=1), latest=replace(LATEST, event_time=CLOSE)))
    assert "market closed" in html
    assert "last traded Fri 20 Nov 16:00:00 EST" in html
    assert "data-since-ms" not in html


def test_simulated_is_said_beside_the_symbol_and_in_the_tab():
    simulated = make_snapshot(latest=replace(LATEST, source="simulator"))
    assert "SIMULATED" in quote(simulated)
    assert tab_title(simulated).startswith("SIMULATED AAPL 101.00")
    assert "SIMULATED" not in quote(make_snapshot())
    assert tab_title(make_snapshot()) == "AAPL 101.00 +1.00 %"


def test_a_symbol_without_a_price_goes_by_its_instrument():
    waiting = make_snapshot(latest=None, instruments=[replace(APPLE, source="simulator")])
    assert "no price yet" in quote(waiting)
    assert tab_title(waiting) == "SIMULATED AAPL"


def test_an_instrument_without_volume_shows_none():
    assert "Volume" not in quote(make_snapshot(instruments=[replace(APPLE, has_volume=False)]))


def test_the_rail_has_the_sessions_quality():
    html = rail(make_snapshot())
    for name, value in (("expected", "30"), ("present", "29"), ("missing", "1"), ("late", "2"), ("dead-lettered", "3")):
        assert f"<dt>{name}</dt><dd>{value}</dd>" in html
    assert "width:96.7%" in html


def test_the_rail_has_the_sessions_hours_in_the_exchanges_time():
    html = rail(make_snapshot())
    assert "09:30 – 16:00" in html
    assert "<dt>Closes in</dt><dd>6 h 0 min</dd>" in html
    closed = rail(make_snapshot(now=CLOSE))
    assert "<dt>Opens</dt><dd>Mon 23 Nov 09:30 EST</dd>" in closed


def test_a_silent_service_is_said_to_be():
    html = rail(make_snapshot(services=[Service("spark", "ok", "running", 90.0)]))
    assert "silent for 1 min 30 s" in html


def test_a_task_is_not_silent_between_its_runs():
    html = rail(make_snapshot(services=[Service("actions", "ok", "no new split", 3_600.0)]))
    assert "silent" not in html
    assert "1 h 0 min ago" in html


def test_a_poll_that_came_three_times_too_late_is_silent():
    assert "silent for 4 min 0 s" in rail(make_snapshot(services=[Service("poll", "ok", "5 symbols", 240.0)]))


@pytest.mark.parametrize(("state", "level"), [("working", "live"), ("throttled", "slow"), ("interrupted", "stale")])
def test_a_task_at_work_is_told_apart_from_one_that_was_interrupted(state: str, level: str) -> None:
    html = rail(make_snapshot(services=[Service("backfill", state, "AAPL 5m: 16992 records", 3_600.0)]))
    assert f'<li class="{level}"' in html
    assert f'<span class="cs-dim">{state}</span>' in html


def test_the_watch_list_links_to_each_symbol():
    html = rail(
        make_snapshot(watchlist=[Watched("BRK-B", 500.0, -0.5, 2, "ok"), Watched("ZZZZ", None, None, 2, "unknown")])
    )
    assert 'href="?symbol=BRK-B&amp;timeframe=1m"' in html
    assert "−0.50 %" in html
    assert "unknown" in html


def test_what_comes_from_outside_is_never_markup():
    hostile = "<img src=x onerror=alert(1)>"
    snapshot = make_snapshot(
        symbol=hostile,
        instruments=[replace(APPLE, symbol=hostile, name=hostile)],
        watchlist=[Watched(hostile, 1.0, 0.0, 2, "ok")],
        services=[Service(hostile, "ok", hostile, 1.0)],
        quality=replace(make_snapshot().quality, note=hostile),
    )
    assert "<img" not in quote(snapshot) + rail(snapshot)


@pytest.mark.parametrize(
    ("closes", "points"), [([1.0, 2.0], "0,35 120,1"), ([5.0, 5.0], "0,35 120,35"), ([5.0], "0,35")]
)
def test_the_small_line_goes_from_left_to_right_and_up_with_the_price(closes, points):
    assert spark(closes) == points


def test_letters_that_name_no_symbol_are_counted_with_the_platform() -> None:
    html = rail(make_snapshot(refused=Refused(1_234, 34, False)))
    assert "1,234 in a day" in html
    assert "34 of them name no known symbol" in html
    assert "1,001+ in a day" in rail(make_snapshot(refused=Refused(1_001, 0, True)))
    assert '<li class="live"' in rail(make_snapshot(services=[], refused=Refused(0, 0, False)))
    assert "./candlestream dead-letters list shows them" in html
    assert "docker compose run --rm ingestion python -m ingestion dead-letters list shows" in rail(
        make_snapshot(refused=Refused(1, 0, False)), Deployment.COMPOSE
    )


def test_a_symbol_in_quarantine_says_why() -> None:
    quality = Quality(
        CLOSE.date(), 30, 30, 0, 900, 0, 0, 0, None, "ticks and the provider's minutes differ in 20 of 30"
    )
    html = rail(make_snapshot(quality=quality))
    assert "in quarantine: ticks and the provider&#39;s minutes differ in 20 of 30" in html
    assert "in quarantine" not in rail(make_snapshot())
