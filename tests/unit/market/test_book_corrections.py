"""What the fold promises of corrections, and of a restart before them."""

import numpy as np
import pytest

from market import memory
from market.series import SeriesKey
from market.timeframes import MINUTE_MS
from tests.unit.market.claims import COIN, DAY_OPEN, MINUTES, bar, clock, closes, flags, tick
from tests.unit.market.folds import Fold, difference
from tests.unit.market.oracles import wrong_indicators
from tests.unit.market.worlds import FRIDAY, MONDAY, BarEvent, Event, open_ms

pytestmark = pytest.mark.unit


def test_a_correction_with_the_same_content_makes_no_revision() -> None:
    fold = Fold()
    fold.step([bar(0, 10.0), clock(1)])
    changes = fold.step([bar(0, 10.0)])
    assert changes.corrected == {}
    assert fold.store.bars(MINUTES)[0]["revision"] == 0


def test_a_correction_changes_every_indicator_after_it() -> None:
    fold = Fold()
    fold.step([*(bar(k, 100 + (k * 7 % 13)) for k in range(300)), clock(400)])
    names = ("ema_26", "sma_20", "rsi_14")
    before = {name: np.array(fold.store.values(MINUTES, name)) for name in names}
    ts = DAY_OPEN + 40 * MINUTE_MS
    fold.step([BarEvent(COIN, "1m", MONDAY, ts, (150, 150, 150, 150, 1), ts + 90 * MINUTE_MS)])
    after = {name: np.array(fold.store.values(MINUTES, name)) for name in names}
    changed = {name: np.flatnonzero((before[name] != after[name]) & ~np.isnan(after[name])).tolist() for name in names}
    assert changed["sma_20"] == list(range(40, 60))
    assert changed["ema_26"][0] == changed["rsi_14"][0] == 40
    assert changed["ema_26"][-1] == 299, "an exponential average forgets nothing"
    assert wrong_indicators(fold.store) == ""


def test_what_a_correction_does_not_change_is_not_written_again() -> None:
    fold = Fold()
    fold.step([*(bar(k, 100.0 + k) for k in range(60)), clock(100)])
    changes = fold.step([bar(59, 100.0 + 59)])
    rows = {change.key.timeframe: len(change.rows) for change in changes.series}
    assert rows.get("1m", 0) <= 1


def history(count: int) -> list[Event]:
    """Minutes of the provider before Monday, oldest first: enough that a short memory forgets most."""
    friday = open_ms(COIN, FRIDAY)
    rng = np.random.default_rng(7)
    prices = (10_000 + np.cumsum(rng.integers(-9, 10, count))) / 100
    return [
        BarEvent(COIN, "1m", FRIDAY, ts, (price, price + 1, price - 1, price, 3.0), ts + 10 * MINUTE_MS)
        for ts, price in zip((friday + k * MINUTE_MS for k in range(count)), prices.tolist(), strict=True)
    ]


@pytest.mark.parametrize("keep", [1, 10, 150])
def test_old_corrections_are_worked_off_from_what_is_read_back(monkeypatch: pytest.MonkeyPatch, keep: int) -> None:
    #   minutes 0 ......................................... 699
    #   corrected     ^120             ^433 (missing: comes)    ^698   one batch each, memory trimmed in between
    minutes = history(700)
    later: list[Event] = []
    for k, price in ((433, 101.0), (120, 99.5), (698, 90.0)):
        known = minutes[k]
        assert isinstance(known, BarEvent)
        later.append(BarEvent(COIN, "1m", FRIDAY, known.ts, (price,) * 4 + (9.0,), known.fetched_ms + MINUTE_MS))
    batches: list[list[Event]] = [[*minutes[:433], *minutes[434:], clock(0)], *([event] for event in later)]
    folds = []
    for rows in (10_000, keep):
        monkeypatch.setattr(memory, "KEEP_ROWS", rows)
        folds.append(fold := Fold())
        for batch in batches:
            fold.step(batch)
    assert difference(folds[0].store, folds[1].store) == ""
    assert wrong_indicators(folds[1].store) == ""
    assert folds[1].book.memory.arena.table["size"][folds[1].book.memory.get(MINUTES)] < 700, (
        "the short memory did forget"
    )
    assert folds[1].store.reads > folds[0].store.reads


def test_a_correction_after_a_restart_finds_the_bars_behind_it_whole() -> None:
    #   minutes 0 ........ 299     restart     corrected ^60     ^250
    minutes = history(300)
    later: list[Event] = []
    for k, price in ((60, 101.0), (250, 90.0)):
        known = minutes[k]
        assert isinstance(known, BarEvent)
        later.append(BarEvent(COIN, "1m", FRIDAY, known.ts, (price,) * 4 + (9.0,), known.fetched_ms + MINUTE_MS))
    undisturbed, restarted = Fold(), Fold()
    for fold in (undisturbed, restarted):
        fold.step([*minutes, clock(0)])
    restarted.restart()
    held = restarted.book.memory
    table, of = held.arena.table, held.get(MINUTES)
    assert table["bare"][of] == table["size"][of] - 1, "of a start the older bars have what a window reads"
    # A tick of the next minute takes what there is; a correction does not.
    for fold in (undisturbed, restarted):
        fold.step([tick(1, 95.0)])
    assert table["bare"][of] > 0
    for event in later:
        for fold in (undisturbed, restarted):
            fold.step([event])
        assert table["bare"][of] == 0
    assert difference(undisturbed.store, restarted.store) == ""
    assert wrong_indicators(restarted.store) == ""


def test_a_restart_with_more_forming_bars_than_memory_closes_them_all(monkeypatch: pytest.MonkeyPatch) -> None:
    """A backfill before the first clock: nothing of ours can close, and then the driver dies."""
    monkeypatch.setattr(memory, "KEEP_ROWS", 5)
    five = SeriesKey(COIN, "5m", "regular")
    fold = Fold()
    fold.step(history(300))
    assert set(flags(fold, five)) == {(False, False)}
    fold.restart()
    fold.step([clock(0, 0), clock(0, 1)])
    assert set(flags(fold, five)) == {(True, True)}
    assert wrong_indicators(fold.store) == ""


def test_a_tick_after_a_restart_finds_the_state_of_a_bar_that_is_still_forming() -> None:
    #   minute ... 29 | 30 (ticks, not closed) | 31 ticks     restart     31 one more tick, no clock
    fold = Fold()
    fold.step([*(bar(k, 100.0 + k) for k in range(30)), clock(30)])
    fold.step([tick(30, 131.0), tick(31, 132.0)])
    fold.restart()
    fold.step([tick(31.5, 129.0)])
    assert flags(fold)[-2:] == [(False, False), (False, False)]
    assert closes(fold)[-2:] == [131.0, 129.0]
    assert wrong_indicators(fold.store) == ""
