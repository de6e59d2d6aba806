"""What the fold promises, one claim at a time, with the timeline above it."""

from collections.abc import Sequence

import numpy as np
import pytest

from market import indicators
from market.bars import FINAL_AFTER_MS
from market.batches import Instrument
from market.recompute import recompute_all
from market.series import SeriesKey
from market.timeframes import MINUTE_MS
from tests.unit.market.claims import COIN, DAY_OPEN, MINUTES, NEW_YORK, bar, clock, closes, flags, tick
from tests.unit.market.folds import Fold, MemoryStore, difference
from tests.unit.market.oracles import wrong_indicators
from tests.unit.market.worlds import (
    FRIDAY,
    MONDAY,
    TUESDAY,
    BarEvent,
    ClockEvent,
    Event,
    TickEvent,
    instruments,
    open_ms,
)

pytestmark = pytest.mark.unit


def test_a_bar_closes_when_the_clock_of_its_partition_has_passed_its_end() -> None:
    #   minute 0      1
    #   | tick        | tick          clock 0:59.999 → 1:00 → (the other partition's clock says nothing)
    fold = Fold()
    fold.step([tick(0, 10.0), tick(1, 11.0), clock(0.99)])
    assert flags(fold) == [(False, False), (False, False)]
    fold.step([clock(5, partition=0)])
    assert flags(fold) == [(False, False), (False, False)]
    fold.step([clock(1)])
    assert flags(fold) == [(True, False), (False, False)]


def test_a_clock_that_goes_back_opens_nothing() -> None:
    fold = Fold()
    fold.step([tick(0, 10.0), clock(2)])
    fold.step([clock(1), tick(1.5, 11.0)])
    assert flags(fold) == [(True, False), (True, False)]


@pytest.mark.parametrize(("after_ms", "is_final"), [(FINAL_AFTER_MS - 1, False), (FINAL_AFTER_MS, True)])
def test_a_bar_that_nobody_confirms_is_final_after_fifteen_minutes(after_ms: int, is_final: bool) -> None:
    fold = Fold()
    fold.step([tick(0, 10.0), clock(1)])
    fold.step([clock(1 + after_ms / MINUTE_MS)])
    assert flags(fold) == [(True, is_final)]


def test_a_providers_complete_bar_is_final_and_one_in_progress_is_not() -> None:
    fold = Fold()
    fold.step([bar(0, 10.0), bar(1, 11.0, is_complete=False)])
    assert flags(fold) == [(True, True), (False, False)]


def test_a_higher_bar_is_final_when_it_closed_and_all_that_is_in_it_is_final() -> None:
    #   minute 0 1 2 3 4 | 5       all five confirmed while the clock stands at 4:30, then it passes 5:00
    fold = Fold()
    five = SeriesKey(COIN, "5m", "regular")
    fold.step([clock(4.5), tick(0, 10.0), *(bar(k, 10.0) for k in range(5))])
    assert flags(fold, five) == [(False, False)]
    fold.step([clock(5)])
    assert flags(fold, five) == [(True, True)]
    assert flags(fold, SeriesKey(COIN, "15m", "regular")) == [(False, False)]


def test_a_late_tick_is_counted_late_and_makes_a_revision() -> None:
    #   minute 0            1
    #   10 11               |  clock 1:00, then a tick of 0:30 at 12
    fold = Fold()
    fold.step([tick(0, 10.0, 1), tick(0.9, 11.0, 3), clock(1)])
    changes = fold.step([tick(0.5, 12.0, 2)])
    [row] = fold.store.bars(MINUTES)
    assert (row["open"], row["high"], row["close"], row["revision"], row["ticks"]) == (10.0, 12.0, 11.0, 1, 3)
    day = row["session_date"]
    assert (changes.ticks, changes.late_ticks, changes.corrected) == (
        {(COIN, day): 1},
        {(COIN, day): 1},
        {(COIN, day): 1},
    )
    replaced = {change.key.timeframe: change.replaced["high"].tolist() for change in changes.series}
    assert replaced["1m"] == [11.0]
    assert replaced["5m"] == [], "what only forms has no revisions"


def test_a_tick_of_a_minute_that_has_no_bar_is_late_when_the_clock_has_passed_it() -> None:
    #   minute 0    1 (no trade)    2
    #   10          |               12    clock 2:30, then a tick of 1:30
    fold = Fold()
    changes = fold.step([tick(0, 10.0), tick(2, 12.0), clock(2.5)])
    assert changes.late_ticks == {}, "they came before the clock that passed them"
    changes = fold.step([tick(1.5, 11.0), tick(2.6, 12.0)])
    [day] = {row["session_date"] for row in fold.store.bars(MINUTES)}
    assert changes.late_ticks == {(COIN, day): 1}


def test_minutes_before_the_first_session_replace_the_providers_bars_of_it() -> None:
    #            Friday            Monday                       Tuesday
    #   1m                         14:30, 14:31 at 11            (live since Monday)
    #   5m                         14:30 at 50, from the provider: our minutes may have begun too late for it, so it stands
    #   1m       14:30 at 9        now Monday is covered from its start: our roll-up
    five = SeriesKey("AAPL", "5m", "regular")

    def minute(day_open: int, close: float, day: object) -> BarEvent:
        return BarEvent("AAPL", "1m", day, day_open, (close,) * 4 + (1.0,), day_open + 10 * MINUTE_MS)  # type: ignore[arg-type]

    fold = Fold()
    fold.step([TickEvent("AAPL", NEW_YORK, 11.0), TickEvent("AAPL", NEW_YORK + MINUTE_MS, 11.0)])
    fold.step([BarEvent("AAPL", "5m", MONDAY, NEW_YORK, (50,) * 4 + (1.0,), NEW_YORK + 10 * MINUTE_MS)])
    tuesday = open_ms("AAPL", TUESDAY)
    fold.step([minute(tuesday, 12.0, TUESDAY), ClockEvent(tuesday, 0)])
    fold.step([BarEvent("AAPL", "5m", TUESDAY, tuesday, (60,) * 4 + (1.0,), tuesday + 10 * MINUTE_MS)])
    assert closes(fold, five) == [50.0, 12.0]
    fold.step([minute(open_ms("AAPL", FRIDAY), 9.0, FRIDAY)])
    assert closes(fold, five) == [9.0, 11.0, 12.0]


def test_a_providers_day_stands_over_our_minutes_and_counts_our_ticks() -> None:
    day = SeriesKey(COIN, "1d", "regular")
    one_day = BarEvent(COIN, "1d", MONDAY, DAY_OPEN, (5, 20, 4, 6, 1000.0), DAY_OPEN + 2 * 1440 * MINUTE_MS)
    for order in ([one_day, tick(0, 10.0), tick(1, 11.0)], [tick(0, 10.0), tick(1, 11.0), one_day]):
        fold = Fold()
        for event in order:
            fold.step([event])
        fold.step([clock(1440 * 3, 0), clock(1440 * 3, 1)])
        [row] = fold.store.bars(day)
        assert (row["open"], row["high"], row["low"], row["close"], row["volume"], row["ticks"]) == (
            5,
            20,
            4,
            6,
            1000,
            2,
        )


def test_volume_is_counted_anew_when_a_minute_comes_in_between() -> None:
    #   minute    0              1 (the provider's, later)    2
    #   dv        100 at 0:59                                 160 at 2:05 .. 170     66 s: 2 goes on from 0
    #                            [a bar, volume 40]                                  then from its own first tick
    fold = Fold()
    fold.step([tick(0.99, 10.0, 100), tick(2.08, 10.0, 160), tick(2.5, 10.0, 170)])
    assert [row["volume"] for row in fold.store.bars(MINUTES)] == [100.0, 70.0]
    fold.step([bar(1, 10.0, 40.0)])
    assert [row["volume"] for row in fold.store.bars(MINUTES)] == [100.0, 40.0, 10.0]


def test_extended_hours_are_bars_of_their_own_without_indicators() -> None:
    fold = Fold()
    fold.step([TickEvent("AAPL", NEW_YORK - 3_600_000, 9.0, session="ext"), tick(0, 10.0, symbol="AAPL")])
    fold.step([ClockEvent(NEW_YORK + 10 * MINUTE_MS, 0)])
    ext = SeriesKey("AAPL", "1m", "ext")
    assert (closes(fold, ext), flags(fold, ext)) == ([9.0], [(True, True)])
    assert np.isnan(fold.store.values(ext, "change")).all()
    assert closes(fold, SeriesKey("AAPL", "1m", "regular")) == [10.0]
    assert {key.timeframe for key in fold.store.rows if key.session == "ext"} == {"1m"}


@pytest.mark.parametrize(("advance_ms", "expected"), [(999, [10.0]), (1_000, [11.0])])
def test_what_only_forms_is_rolled_up_once_a_second(advance_ms: int, expected: Sequence[float]) -> None:
    fold = Fold()
    fold.step([tick(0, 10.0), clock(0.01)])
    fold.step([tick(0.02, 11.0), clock(0.01 + advance_ms / MINUTE_MS)])
    assert closes(fold) == [11.0]
    assert closes(fold, SeriesKey(COIN, "5m", "regular")) == expected


def test_an_edit_of_the_kernel_recomputes_every_stored_row_and_says_which_changed() -> None:
    fold = Fold()
    fold.step([*(bar(k, 100.0 + k) for k in range(50)), clock(100)])
    for ts in sorted(fold.store.rows[MINUTES])[10:20]:
        fold.store.rows[MINUTES][ts][2][indicators.VALUES.index("change")] = 777.0
    fold.restart()
    change = recompute_all(fold.book.memory, MINUTES)
    assert change is not None
    assert ((change.rows["ts"] - DAY_OPEN) // MINUTE_MS).tolist() == list(range(10, 20))
    assert set(change.values[:, indicators.VALUES.index("change")].tolist()) == {1.0}


def test_ticks_of_two_days_are_counted_by_their_session() -> None:
    fold = Fold()
    changes = fold.step([tick(-0.5, 10.0), tick(0.5, 10.0), tick(0.6, 10.0)])
    [monday] = {row["session_date"] for row in fold.store.bars(MINUTES) if row["ts"] == DAY_OPEN}
    assert changes.ticks == {(COIN, monday - 1): 1, (COIN, monday): 2}


@pytest.mark.slow
def test_many_symbols_at_once_are_what_each_is_alone() -> None:
    """Seeded walks of forty symbols, batches of a minute and a half; each symbol's rows against a fold that has no other."""
    rng = np.random.default_rng(3)
    names = [f"C{k:02d}-USD" for k in range(40)]
    batches: list[list[Event]] = []
    for k in range(60):
        minute = k * 1.5
        events: list[Event] = [clock(max(0.0, minute - 0.05), partition) for partition in (0, 1)]
        for name in rng.choice(names, 30):
            price, behind = float(rng.integers(9_000, 11_000)) / 100, float(rng.choice([0.0, 0.1, 2.5]))
            ms = DAY_OPEN + int((minute + float(rng.random()) - behind) * MINUTE_MS)
            events.append(TickEvent(str(name), ms, price, int(rng.integers(0, 9)) + 10 * k))
        batches.append(events)
    with instruments({name: Instrument(name, "24/7", 2, True) for name in names}):
        together = Fold()
        for batch in batches:
            together.step(batch)
        assert len(together.store.rows) >= 40 * 8
        assert wrong_indicators(together.store) == ""
        for name in names[::8]:
            alone = Fold()
            for batch in batches:
                alone.step([event for event in batch if isinstance(event, ClockEvent) or event.symbol == name])
            # What only forms waits for its symbol's turn, and another's turn is no difference that lasts.
            end = [clock(60 * 24 * 40, partition) for partition in (0, 1)]
            alone.step(end)
            if name == names[0]:
                together.step(end)
            mine = {key: rows for key, rows in together.store.rows.items() if key.symbol == name}
            assert difference(MemoryStore(mine), alone.store) == ""
