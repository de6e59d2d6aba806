"""The newest price: which of two is newer, and what stands around it."""

from dataclasses import asdict, dataclass, replace
from typing import Any

import numpy as np
import pytest

from market.bars import OURS, PROVIDER_COMPLETE, Rows, empty_rows, join
from market.batches import Batch
from market.latest import LATEST, QUIET_MS, around, from_bars, from_ticks
from market.series import SeriesKey
from tests.unit.market.folds import Fold
from tests.unit.market.worlds import MONDAY, TUESDAY, BarEvent, ClockEvent, TickEvent, layers_of, open_ms, provider_row

pytestmark = pytest.mark.unit

T0 = 1_795_012_200_000
TODAY = 20_775


@dataclass(frozen=True, slots=True)
class Latest:
    """A row of LATEST as plain values, without its last ticks."""

    price: float
    is_ext: bool
    session_date: int
    previous_close: float | None
    day_high: float | None
    day_low: float | None
    day_volume: float | None
    event_ms: int
    received_ms: int


def quote(**changes: Any) -> Latest:
    return replace(Latest(10.0, False, TODAY, 8.0, 11.0, 9.0, 500.0, T0, T0 + 40), **changes)


def row_of(told: Latest | None) -> np.ndarray:
    rows = np.zeros(1, LATEST)
    if told is not None:
        for name, value in asdict(told).items():
            rows[name] = np.nan if value is None else value
    return rows


def told_by(row: np.ndarray) -> Latest:
    values = (row[name][0].item() for name in Latest.__slots__)
    return Latest(*(None if value != value else value for value in values))


def days_around(daily: Rows, session_date: int) -> np.ndarray:
    return around(daily, np.array([0]), np.array([len(daily)]), np.array([session_date]))


def latest_from_tick(known: Latest | None, told: Latest, daily: Rows) -> Latest | None:
    """The row after a tick, None when it stays as it is."""
    moved = told_by(from_ticks(row_of(known), row_of(told), days_around(daily, told.session_date)))
    return None if moved == known else moved


def latest_from_bar(known: Latest | None, newest: Rows, daily: Rows) -> Latest:
    session_date = 0 if known is None else known.session_date
    days, days_of_known = days_around(daily, int(newest["session_date"][0])), days_around(daily, session_date)
    return told_by(from_bars(row_of(known), newest, days, days_of_known))


def day(session_date: int, high: float, low: float, close: float, volume: float = float("nan")) -> Rows:
    row = empty_rows(1)
    row["session_date"], row["high"], row["low"], row["close"], row["volume"] = session_date, high, low, close, volume
    row["event_ms"] = T0 - 3_600_000
    return row


NO_DAYS = empty_rows(0)


@pytest.mark.parametrize(
    ("event_ms", "day_volume", "price", "is_newer"),
    [
        (T0 + 1, 500.0, 1.0, True),
        (T0, 501.0, 9.99, True),
        (T0, 500.0, 10.01, True),
        (T0, None, 10.01, True),
        (T0, 500.0, 10.0, False),
        (T0, 500.0, 9.99, False),
        (T0, 499.0, 10.01, False),
        (T0 - 1, 900.0, 99.0, False),
    ],
)
def test_of_two_ticks_the_later_counts_and_at_the_same_time_the_one_with_more_volume_or_the_higher(
    event_ms: int, day_volume: float | None, price: float, is_newer: bool
) -> None:
    known = latest_from_tick(None, quote(), NO_DAYS)
    found = latest_from_tick(known, quote(event_ms=event_ms, day_volume=day_volume, price=price), NO_DAYS)
    assert (found is not None) == is_newer


def test_without_bars_the_provider_is_believed() -> None:
    assert latest_from_tick(None, quote(), NO_DAYS) == Latest(
        10.0, False, TODAY, 8.0, 11.0, 9.0, 500.0, T0, T0 + 40
    )  # fmt: skip


@pytest.mark.parametrize(
    ("what", "daily", "expected"),
    [
        # (previous close, day high, day low, day volume); the provider said 8, 11, 9 and 500
        ("the session before is ours", [day(TODAY - 1, 9, 7, 7.5)], (7.5, 11.0, 9.0, 500.0)),
        ("a weekend lies before", [day(TODAY - 3, 9, 7, 7.25)], (7.25, 11.0, 9.0, 500.0)),
        ("today is wider than the provider says", [day(TODAY, 12, 8.5, 10, 400)], (8.0, 12.0, 8.5, 500.0)),
        ("today is narrower", [day(TODAY, 10, 10, 10)], (8.0, 11.0, 9.0, 500.0)),
        ("tomorrow is there already", [day(TODAY - 1, 9, 7, 7.5), day(TODAY + 1, 99, 1, 50)], (7.5, 11.0, 9.0, 500.0)),
    ],
)
def test_our_daily_bars_rule_over_what_the_provider_says(
    what: str, daily: list[Rows], expected: tuple[float, float, float, float]
) -> None:
    found = latest_from_tick(None, quote(), join(daily))
    assert found is not None
    assert (found.previous_close, found.day_high, found.day_low, found.day_volume) == expected


def test_a_quote_without_anything_beside_its_price() -> None:
    bare = quote(day_volume=None, day_high=None, day_low=None, previous_close=None)
    found = latest_from_tick(None, bare, NO_DAYS)
    assert found is not None
    assert (found.previous_close, found.day_high, found.day_low, found.day_volume) == (None, None, None, None)
    found = latest_from_tick(None, bare, day(TODAY, 12, 8, 9, 77))
    assert found is not None
    assert (found.day_high, found.day_low, found.day_volume) == (12, 8, 77)


def minute(event_ms: int, close: float) -> Rows:
    row = empty_rows(1)
    row["event_ms"], row["close"], row["session_date"] = event_ms, close, TODAY
    return row


@pytest.mark.parametrize(("later_ms", "price"), [(QUIET_MS, 10.0), (QUIET_MS + 1, 20.0), (-1, 10.0)])
def test_a_providers_minute_is_the_latest_price_when_ticks_were_silent_for_a_minute(
    later_ms: int, price: float
) -> None:
    known = latest_from_tick(None, quote(), NO_DAYS)
    found = latest_from_bar(known, minute(T0 + later_ms, 20.0), NO_DAYS)
    assert found.price == price


@pytest.mark.parametrize(
    ("low", "high", "origin", "price"),
    [
        (9.0, 10.0, PROVIDER_COMPLETE, 10.0),
        (9.0, 9.9, PROVIDER_COMPLETE, 9.5),
        (10.1, 11.0, PROVIDER_COMPLETE, 9.5),
        (9.0, 9.9, OURS, 10.0),
    ],
)
def test_a_tick_outside_of_what_the_provider_says_of_its_minute_is_no_latest_price(
    low: float, high: float, origin: int, price: float
) -> None:
    known = latest_from_tick(None, quote(), NO_DAYS)
    newest = minute(T0 + 30_000, 9.5)
    newest["ts"], newest["end"] = T0 - 30_000, T0 + 30_000
    newest["low"], newest["high"], newest["origin"] = low, high, origin
    found = latest_from_bar(known, newest, day(TODAY, 9.8, 8.5, 9.5, 70.0))
    assert found.price == price
    assert (found.day_high == 9.8) == (price == 9.5), "nor is it the day's highest"


def test_a_refuted_tick_is_no_latest_price_however_tick_and_row_are_cut_into_batches() -> None:
    #   tick 10.1, 10.0 ... tick 11 (a spike) | bell | row: high 10.2
    ts = open_ms("AAPL", MONDAY)
    first, spike = TickEvent("AAPL", ts + 1_000, 10.1, 1), TickEvent("AAPL", ts + 58_000, 11.0, 2)
    row = BarEvent("AAPL", "1m", MONDAY, ts, (10.0, 10.2, 9.9, 10.05, 70.0), ts + 90_000)
    for cuts in ([[first, spike, row]], [[first, spike], [row]], [[first], [row], [spike]], [[row], [first, spike]]):
        fold = Fold()
        for batch in cuts:
            fold.step(batch)
        assert fold.book.latest["price"].tolist()[:1] == [10.05], cuts


def test_a_symbol_with_days_alone_has_the_last_days_close() -> None:
    #   daily bars Monday and Tuesday, no minute
    fold = Fold()
    for session, close, volume in ((MONDAY, 7.5, 50.0), (TUESDAY, 9.0, 70.0)):
        ts = open_ms("AAPL", session)
        told = fold.step([BarEvent("AAPL", "1d", session, ts, (8, 12, 7, close, volume), ts + 7 * 3_600_000)]).latest
    [row] = told.rows.tolist()
    named = dict(zip(LATEST.names, row, strict=True))
    assert told.symbols == ["AAPL"]
    assert [named[name] for name in ("price", "previous_close", "day_high", "day_volume", "is_ext")] == [
        9, 7.5, 12, 70, False,
    ]  # fmt: skip


def test_a_provider_that_says_nothing_leaves_a_symbol_without_a_price() -> None:
    ts = open_ms("AAPL", MONDAY)
    extended = {SeriesKey("AAPL", "1m", "ext"): [provider_row(BarEvent("AAPL", "1m", MONDAY, ts, (1,) * 5, ts))]}
    book = Fold().book
    assert len(book.apply(Batch(provider=layers_of(extended))).latest) == 0


def test_days_that_come_after_the_last_tick_still_tell_its_previous_close() -> None:
    """A first start on a Sunday: the last price is known before the daily history is."""
    known = latest_from_bar(None, minute(T0, 10.0), NO_DAYS)
    assert known.previous_close is None
    found = latest_from_bar(known, minute(T0, 10.0), join([day(TODAY - 1, 9, 7, 7.5), day(TODAY, 12, 8, 9, 70)]))
    assert found == replace(known, previous_close=7.5, day_high=12, day_low=8, day_volume=70)


def test_the_fold_moves_the_latest_price_and_writes_it_only_when_it_moved() -> None:
    start = open_ms("AAPL", MONDAY)
    fold = Fold()
    first, second = TickEvent("AAPL", start, 10.0), TickEvent("AAPL", start + 5, 11.0)
    assert fold.step([first, second]).latest.rows["price"].tolist() == [11.0]
    assert len(fold.step([first]).latest) == 0
    assert len(fold.step([ClockEvent(start + 60_000, 0)]).latest) == 0
    late = BarEvent("AAPL", "1m", MONDAY, start + 600_000, (12, 12, 12, 12, 1), start + 900_000)
    assert fold.step([late]).latest.rows["price"].tolist() == [12.0]
    assert fold.book.latest["event_ms"][fold.book.memory.symbol("AAPL")] == start + 660_000


def test_a_close_of_years_ago_is_not_the_previous_close() -> None:
    moved = latest_from_tick(None, quote(), day(TODAY - 5_000, 6, 4, 5.0))
    assert moved is not None
    assert moved.previous_close == 8.0
