"""The messages to the screen. A screen is played here by the few lines that the browser has in JavaScript."""

import json

import pytest

from dashboard.figures import columns, plain
from dashboard.wire import KEPT_EXTRA, LARGEST_PATCH, PATIENCE, PATIENCE_IF_LOST, Series, Wire

pytestmark = pytest.mark.unit


class Screen:
    """Takes messages as static/chart.js does."""

    def __init__(self):
        self.id = None

    def take(self, message):
        message = json.loads(json.dumps(message, allow_nan=False))
        if "base" in message and message["id"] != self.id:
            self.id, self.first_x = message["id"], message["base"]["first_x"]
            self.columns = {path: get(message["base"]["figure"], path) for path in message["base"]["columns"]}
        if message["id"] != self.id:
            return "lost"
        shown = {path: list(values) for path, values in self.columns.items()}
        for path, cells in message["patch"]["columns"].items():
            for place, cell in zip(message["patch"]["at"], cells, strict=True):
                shown[path][place : place + 1] = [cell]
        return shown


def get(tree, path):
    for step in path.split("."):
        tree = tree[int(step)] if isinstance(tree, list) else tree[step]
    return tree


def series_of(rows):
    series = Series()
    series.replace(rows)
    return series


def test_a_screen_shows_the_same_after_patches_as_after_a_new_figure(row, rows, style):
    series, wire, screen = series_of(rows(50)), Wire("tab"), Screen()
    screen.take(wire.message(series, style(), None))
    since = series.rows[-1].ts_ms
    series.renew(since, [row(49, close=107.0, high=108.0), row(50, close=106.0, is_closed=False)])
    shown = screen.take(wire.message(series, style(), screen.id))
    assert shown == columns(series.rows, series.first_x, style())


def test_a_base_is_sent_once_and_again_only_if_it_is_not_confirmed(rows, style):
    series, wire = series_of(rows(50)), Wire("tab")
    first = wire.message(series, style(), None)
    assert "base" in first
    unconfirmed = ["base" in wire.message(series, style(), None) for _ in range(PATIENCE)]
    assert unconfirmed == [False] * (PATIENCE - 1) + [True]
    assert not any("base" in wire.message(series, style(), first["id"]) for _ in range(PATIENCE * 2))


def test_a_screen_that_lost_its_base_gets_it_again_soon(rows, style):
    """The tab came back from another page: its chart was made anew."""
    series, wire = series_of(rows(50)), Wire("tab")
    base = wire.message(series, style(), None)["id"]
    wire.message(series, style(), base)
    sent = ["base" in wire.message(series, style(), f"?{base}") for _ in range(PATIENCE_IF_LOST)]
    assert sent[-1]


def test_a_screen_that_missed_patches_is_right_after_the_next(row, rows, style):
    """The browser draws the newest of the messages that came together; a patch is against the base, not the patch before."""
    series, wire, screen = series_of(rows(50)), Wire("tab"), Screen()
    screen.take(wire.message(series, style(), None))
    for minute in range(50, 55):
        series.renew(row(minute - 1).ts_ms, [row(minute - 1), row(minute, is_closed=False)])
        message = wire.message(series, style(), screen.id)
    assert screen.take(message) == columns(series.rows, series.first_x, style())


def test_a_refresh_is_small(row, rows, style):
    series, wire = series_of(rows(600)), Wire("tab")
    base = wire.message(series, style(), None)["id"]
    series.renew(row(599).ts_ms, [row(599, close=100.5, is_closed=False)])
    assert len(json.dumps(wire.message(series, style(), base))) < 2_500


def test_a_corrected_old_bar_is_a_patch_too(row, rows, style):
    series, wire, screen = series_of(rows(50)), Wire("tab"), Screen()
    screen.take(wire.message(series, style(), None))
    series.replace([row(0, close=100.25), *rows(50)[1:]])
    message = wire.message(series, style(), screen.id)
    assert "base" not in message
    # The bar itself; its neighbour shows its change from the corrected close.
    assert message["patch"]["at"][0] == 0
    assert screen.take(message) == columns(series.rows, 0, style())


def test_another_style_or_many_new_bars_make_a_new_base(row, rows, style):
    series, wire = series_of(rows(50)), Wire("tab")
    first = wire.message(series, style(), None)["id"]
    second = wire.message(series, style(averages=(5,)), first)
    assert second["id"] != first
    series.renew(row(49).ts_ms, [row(minute) for minute in range(49, 52 + LARGEST_PATCH)])
    assert wire.message(series, style(averages=(5,)), second["id"])["id"] != second["id"]


def test_a_bar_keeps_its_place_when_the_window_moves_and_when_older_ones_come(row):
    series = series_of([row(minute) for minute in range(10, 20)])
    series.replace([row(minute) for minute in range(12, 22)])
    assert series.first_x + [one.ts_ms for one in series.rows].index(row(15).ts_ms) == 5
    series.replace([row(minute) for minute in range(22)])
    assert series.first_x == -10


def test_the_window_may_move_on_without_a_new_base(row, style):
    series, wire = series_of([row(minute) for minute in range(100)]), Wire("tab")
    base = wire.message(series, style(), None)["id"]
    series.replace([row(minute) for minute in range(1, 101)])
    assert wire.message(series, style(), base)["id"] == base
    assert len(series.rows) == 101


def test_bars_do_not_pile_up_for_ever(row):
    series = series_of([row(minute) for minute in range(10)])
    for minute in range(1, KEPT_EXTRA * 3):
        series.replace([row(minute + one) for one in range(10)])
    assert len(series.rows) <= 10 + KEPT_EXTRA


def test_another_symbols_bars_begin_at_nought(row):
    series = series_of([row(minute) for minute in range(10)])
    series.replace([row(minute) for minute in range(5_000, 5_010)])
    assert (series.first_x, len(series.rows)) == (0, 10)


def test_a_withdrawn_bar_disappears(row, rows, style):
    series, wire, screen = series_of(rows(50)), Wire("tab"), Screen()
    screen.take(wire.message(series, style(), None))
    series.renew(row(48).ts_ms, [row(48, is_closed=False)])
    shown = screen.take(wire.message(series, style(), screen.id))
    assert len(shown["data.0.close"]) == 49


def test_no_number_that_json_lacks_is_ever_sent(row, style):
    json.dumps(plain([row(0, volume=None, sma_5=None, macd_histogram=None)], 0, style()), allow_nan=False)
