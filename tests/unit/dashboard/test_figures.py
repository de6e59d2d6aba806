"""Bars to figure: what is drawn, where, and in which colour."""

import itertools
import re
import tomllib
from pathlib import Path

import pytest

from dashboard.adjustment import Adjustment
from dashboard.figures import columns, figure, live, plain
from dashboard.palette import DARK, LIGHT

pytestmark = pytest.mark.unit
REPO = Path(__file__).parents[3]


def test_plotly_accepts_the_whole_figure(rows, style):
    drawn = figure(rows(5), 0, style())
    assert [trace.name for trace in drawn.data] == [
        "price", "forming", "SMA 5", "SMA 20", "SMA 50", "SMA 200", "volume", "RSI 14", "histogram", "MACD", "signal",
    ]  # fmt: skip


def test_candles_carry_the_bars_prices_at_the_instruments_precision(row, style):
    drawn = figure([row(0, open=1.23456, high=2.0, low=1.0, close=1.98769)], 7, style(digits=4))
    candle = drawn.data[0]
    assert (candle.x, candle.open, candle.high, candle.low, candle.close) == (
        (7,),
        (1.2346,),
        (2.0,),
        (1.0,),
        (1.9877,),
    )


def test_bars_stand_side_by_side_over_a_night(row, style):
    """The x-axis counts bars: Friday's last and Monday's first are neighbours."""
    drawn = figure([row(0), row(3 * 24 * 60)], 10, style())
    assert drawn.data[0].x == (10, 11)
    assert drawn.layout.xaxis.type == "linear"


def test_the_forming_candle_is_a_trace_of_its_own_and_gone_when_it_closed(rows, style):
    forming = figure(rows(3), 0, style())
    assert forming.data[1].x == (2,)
    assert [shape.visible for shape in forming.layout.shapes if shape.name == "forming"] == [True]
    closed = figure(rows(3, forming=False), 0, style())
    assert closed.data[1].x == ()
    assert [shape.visible for shape in closed.layout.shapes if shape.name == "forming"] == [False]


def test_the_last_price_has_a_line_and_a_label_in_the_colour_of_its_bar(row, style):
    for close, colour in ((99.5, DARK.down), (100.5, DARK.up)):
        drawn = figure([row(0, open=100.0, close=close)], 0, style())
        line = next(shape for shape in drawn.layout.shapes if shape.name == "last")
        label = next(mark for mark in drawn.layout.annotations if mark.name == "last")
        assert (line.y0, line.y1, line.line.color) == (close, close, colour)
        assert (label.y, label.text, label.bgcolor) == (close, f"<b>{close:.2f}</b>", colour)


@pytest.mark.parametrize(("close", "colour"), [(101.0, DARK.up_wash), (100.0, DARK.up_wash), (99.0, DARK.down_wash)])
def test_volume_is_coloured_by_the_bars_direction(row, style, close, colour):
    assert figure([row(0, open=100.0, close=close)], 0, style()).data[6].marker.color == (colour,)


@pytest.mark.parametrize(
    ("before", "now", "colour"),
    [
        (0.1, 0.2, DARK.up),
        (0.2, 0.1, DARK.up_wash),
        (-0.2, -0.1, DARK.down_wash),
        (-0.1, -0.2, DARK.down),
        (None, 0.1, DARK.up),
    ],
)
def test_the_histogram_is_shaded_by_sign_and_by_growth(row, style, before, now, colour):
    drawn = figure([row(0, macd_histogram=before), row(1, macd_histogram=now)], 0, style())
    assert drawn.data[8].marker.color[1] == colour


def test_before_warm_up_there_is_a_hole_and_not_a_zero(row, style):
    values = columns([row(0, sma_200=None, rsi_14=None, macd_signal=None)], 0, style())
    assert (values["data.5.y"], values["data.7.y"], values["data.10.y"]) == ([None], [None], [None])


def test_simulated_prices_are_marked_inside_the_figure(rows, style):
    texts = {source: [mark.text for mark in figure(rows(3), 0, style(source=source)).layout.annotations] for source in
             ("simulator", "replay", "yahoo")}  # fmt: skip
    assert "<b>SIMULATED</b>" in texts["simulator"]
    assert "<b>SIMULATED</b>" in texts["replay"]
    assert "<b>SIMULATED</b>" not in texts["yahoo"]


def test_averages_are_shown_by_choice(rows, style):
    drawn = figure(rows(3), 0, style(averages=(20,)))
    assert {trace.name: trace.visible for trace in drawn.data if trace.name.startswith("SMA")} == {
        "SMA 5": False, "SMA 20": True, "SMA 50": False, "SMA 200": False,
    }  # fmt: skip
    names = [item["name"] for item in drawn.layout.meta["panes"][0]["items"]]
    assert "SMA 20" in names
    assert "SMA 50" not in names


def test_panes_do_not_overlap_and_fill_the_height(rows, style):
    for has_volume in (True, False):
        drawn = figure(rows(3), 0, style(has_volume=has_volume))
        axes = [pane["axis"] for pane in drawn.layout.meta["panes"]]
        assert ("yaxis2" in axes) is has_volume
        domains = [drawn.layout[axis].domain for axis in axes]
        assert domains[0][1] == 1
        assert domains[-1][0] == pytest.approx(0, abs=0.001)
        assert all(above[0] > below[1] for above, below in itertools.pairwise(domains))


def test_the_first_view_is_of_the_newest_120_bars(rows, style):
    drawn = figure(rows(300), 0, style())
    low, high = drawn.layout.xaxis.range
    assert (low, high > 299) == (179.5, True)


def test_the_rsi_has_its_thirty_and_seventy(rows, style):
    drawn = figure(rows(3), 0, style())
    levels = {shape.y0 for shape in drawn.layout.shapes if shape.type == "line" and shape.yref == "y3"}
    assert levels == {30, 70}


def test_two_themes_draw_the_same_numbers(rows, style):
    dark, light = (figure(rows(4), 0, style(palette=colours)) for colours in (DARK, LIGHT))
    assert [trace.y for trace in dark.data[2:]] == [trace.y for trace in light.data[2:]]
    assert dark.layout.paper_bgcolor != light.layout.paper_bgcolor


def luminance(rgb: list[float]) -> float:
    """Relative luminance of sRGB, as WCAG 2 defines it."""
    linear = [part / 12.92 if part <= 0.03928 else ((part + 0.055) / 1.055) ** 2.4 for part in rgb]
    return 0.2126 * linear[0] + 0.7152 * linear[1] + 0.0722 * linear[2]


def painted(colour: str, background: str) -> list[float]:
    """The colour that is seen, red, green and blue from 0 to 1: a wash lets its background through."""
    if colour.startswith("#"):
        return [int(colour[k : k + 2], 16) / 255 for k in (1, 3, 5)]
    *parts, alpha = [float(part) for part in colour.removeprefix("rgba(").removesuffix(")").split(",")]
    below = painted(background, background)
    return [alpha * part / 255 + (1 - alpha) * under for part, under in zip(parts, below, strict=True)]


@pytest.mark.parametrize("colours", [DARK, LIGHT], ids=["dark", "light"])
def test_bodies_of_up_and_down_candles_differ_in_brightness_for_eyes_that_do_not_tell_teal_from_orange(colours):
    dim, bright = sorted(luminance(painted(fill, colours.background)) for fill in (colours.up_fill, colours.down_fill))
    assert (bright + 0.05) / (dim + 0.05) > 2


@pytest.mark.parametrize(("colours", "place", "theme"), [(DARK, 0, "dark"), (LIGHT, 1, "light")], ids=["dark", "light"])
def test_the_chart_the_words_around_it_and_streamlits_theme_have_the_same_colours(colours, place, theme):
    css = (REPO / "dashboard" / "static" / "page.css").read_text()
    variables = dict(re.findall(r"--(\w+): (#\w+)", css.split("--up:")[place + 1].split("}")[0]))
    assert css.split("--up: ")[place + 1].startswith(colours.up)
    ground = colours.background[:4] if variables["ground"] == "#fff" else colours.background
    assert (variables["down"], variables["muted"], variables["text"], variables["ground"]) == (
        colours.down, colours.muted, colours.text, ground,
    )  # fmt: skip
    streamlit = tomllib.loads((REPO / ".streamlit" / "config.toml").read_text())["theme"][theme]
    assert (streamlit["backgroundColor"], streamlit["textColor"]) == (colours.background, colours.text)


def test_a_figure_without_bars_is_an_empty_chart_and_no_error(style):
    assert figure([], 0, style()).data[0].open == ()


def test_live_and_columns_name_places_that_the_figure_has(rows, style):
    """What a refresh sends must fall on something: every path of it leads into the figure."""
    drawn = plain(rows(3), 0, style())
    for path in [*columns(rows(3), 0, style()), *live(rows(3), 0, style())]:
        node = drawn
        for step in path.split("."):
            node = node[int(step)] if isinstance(node, list) else node[step]


@pytest.mark.parametrize(
    ("adjustment", "words"), [("raw", "as printed"), ("split", "split-adjusted"), ("total_return", "total return")]
)
def test_the_chart_says_on_which_scale_its_prices_stand(rows, style, adjustment, words):
    drawn = figure(rows(3), 0, style(adjustment=Adjustment(adjustment)))
    price = next(pane for pane in drawn.layout.meta["panes"] if pane["axis"] == "yaxis")
    assert price["title"] == f"AAPL 1m {words}"


def test_a_price_that_splits_have_made_small_keeps_its_shape(row, style):
    """Apple's first close, 28.75 as printed, is 0.1283 after five splits: a candle of whole cents would be flat."""
    small = row(open=0.12834, high=0.12891, low=0.12834, close=0.12834)
    assert columns([small], 0, style())["data.0.high"] == [0.1289]
    assert columns([small], 0, style(adjustment=Adjustment.RAW))["data.0.high"] == [0.13]
    assert columns([row(high=124.8075)], 0, style())["data.0.high"] == [124.81]
