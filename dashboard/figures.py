"""Bars to figure. The x-axis counts bars, not time, so that nights and weekends leave no holes (ticks.py has the words).

A figure is a template with the columns in it. A refresh needs no new figure: `columns` of the bars that changed and `live` are
all that differs, and the screen puts them into the figure that it has (wire.py).
"""

from typing import Any

import plotly.graph_objects as go

from dashboard import panes, ticks
from dashboard.adjustment import Adjustment
from dashboard.queries import Row
from dashboard.style import AVERAGES, Style

SHOWN = 120
"""So many bars are in the first view."""
ROOM = 6
"""Empty bars to the right of the newest one."""
MARGIN = {"l": 6, "r": 78, "t": 6, "b": 26}
RSI_LOW, RSI_HIGH = 30, 70
PLACES = "layout.meta.bars.x"
"""The column of all traces' x, which is sent once and not with each."""
DIRECTION, SHADE = "layout.meta.bars.direction", "layout.meta.bars.shade"
"""The columns of the colours of volume and histogram, as places in `layout.meta.colors`: a word of a colour is long."""
FORMING, VOLUME, HISTOGRAM = 1, 6, 8
"""Places of traces: `FORMING` is the one with an x of its own."""
MONO = "'JetBrains Mono', 'SF Mono', 'Cascadia Mono', 'DejaVu Sans Mono', Menlo, Consolas, monospace"
SANS = "'Source Sans', 'Source Sans 3', 'Inter', 'Segoe UI', Roboto, sans-serif"


def columns(rows: list[Row], first_x: int, style: Style, previous: Row | None = None) -> dict[str, list[Any]]:
    """Path in the figure → one value a bar. `previous` is the bar before the first of `rows`."""
    xs = list(range(first_x, first_x + len(rows)))
    before = [previous, *rows][: len(rows)]
    fine = style.digits + 2
    out: dict[str, list[Any]] = {PLACES: xs}
    for name in ("open", "high", "low", "close"):
        out[f"data.0.{name}"] = [_price(getattr(row, name), style) for row in rows]
    for trace, length in zip((2, 3, 4, 5), AVERAGES, strict=True):
        out[f"data.{trace}.y"] = [_rounded(getattr(row, f"sma_{length}"), fine) for row in rows]
    out["data.6.y"] = [row.volume for row in rows]
    out[DIRECTION] = [int(row.close >= row.open) for row in rows]
    out["data.7.y"] = [_rounded(row.rsi_14, 2) for row in rows]
    out["data.8.y"] = [_rounded(row.macd_histogram, fine + 1) for row in rows]
    out[SHADE] = [_shade(row, earlier) for row, earlier in zip(rows, before, strict=True)]
    out["data.9.y"] = [_rounded(row.macd, fine + 1) for row in rows]
    out["data.10.y"] = [_rounded(row.macd_signal, fine + 1) for row in rows]
    words = ticks.labels(rows, style.timeframe, style.zone, previous.session_date if previous else None)
    out["layout.meta.bars.rank"] = [label.rank for label in words]
    out["layout.meta.bars.tick"] = [label.tick for label in words]
    out["layout.meta.bars.full"] = [label.full for label in words]
    out["layout.meta.bars.change_pct"] = [
        _rounded(100 * (row.close / earlier.close - 1), 2) if earlier else None
        for row, earlier in zip(rows, before, strict=True)
    ]
    return out


def live(rows: list[Row], first_x: int, style: Style) -> dict[str, Any]:
    """Path in the figure → value, for what follows the newest bar: the forming candle, the price line and its label."""
    last, x = rows[-1], first_x + len(rows) - 1
    colours = style.palette
    is_up = last.close >= last.open
    forming = [] if last.is_closed else [last]
    out: dict[str, Any] = {"data.1.x": [x] * len(forming)}
    for name in ("open", "high", "low", "close"):
        out[f"data.1.{name}"] = [_price(getattr(row, name), style) for row in forming]
    colour = colours.up if is_up else colours.down
    line = {"type": "line", "xref": "paper", "x0": 0, "x1": 1, "yref": "y", "y0": last.close, "y1": last.close}
    band = {"type": "rect", "xref": "x", "x0": x - 0.5, "x1": x + 0.5, "yref": "paper", "y0": 0, "y1": 1}
    guides, marks = len(_guides(style)), len(_marks(style))
    out[f"layout.shapes.{guides}"] = {
        **line, "name": "last", "line": {"color": colour, "width": 1, "dash": "dot"}, "layer": "above",
    }  # fmt: skip
    out[f"layout.shapes.{guides + 1}"] = {
        **band, "name": "forming", "fillcolor": colours.accent_wash, "line": {"width": 0}, "layer": "below",
        "visible": bool(forming),
    }  # fmt: skip
    out[f"layout.annotations.{marks}"] = {
        "name": "last", "text": f"<b>{last.close:,.{style.digits}f}</b>", "showarrow": False,
        "xref": "paper", "x": 1, "xanchor": "left", "yref": "y", "y": last.close, "yanchor": "middle",
        "bgcolor": colour, "borderpad": 3, "font": {"family": MONO, "size": 12, "color": colours.on_price},
    }  # fmt: skip
    out["layout.meta.last"] = {
        "x": x, "y": last.close, "end_ms": last.end_ms, "is_closed": last.is_closed, "is_up": is_up,
    }  # fmt: skip
    return out


def figure(rows: list[Row], first_x: int, style: Style) -> go.Figure:
    """The whole chart: candles, averages, volume, RSI and MACD over one x-axis."""
    drawn = plain(rows, first_x, style)
    bars = drawn["layout"]["meta"]["bars"]
    for place, trace in enumerate(drawn["data"]):
        if place != FORMING:
            trace["x"] = bars["x"]
    for place, column in ((VOLUME, "direction"), (HISTOGRAM, "shade")):
        colors = drawn["layout"]["meta"]["colors"][column]
        drawn["data"][place]["marker"] = {
            **drawn["data"][place]["marker"],
            "color": [colors[code] for code in bars[column]],
        }
    return go.Figure(drawn)


def plain(rows: list[Row], first_x: int, style: Style) -> dict[str, Any]:
    """The same as plain JSON, as the screen gets it: Plotly's check of every number costs more than all else."""
    drawn = {"data": _traces(style), "layout": _layout(rows, first_x, style)}
    values = {**columns(rows, first_x, style), **(live(rows, first_x, style) if rows else {})}
    for path, value in values.items():
        _put(drawn, path, value)
    return drawn


def _traces(style: Style) -> list[Any]:
    """Always the same traces in the same order: the paths of `columns` name them by their place."""
    colours = style.palette
    up = {"line": {"color": colours.up, "width": 1}, "fillcolor": colours.up_fill}
    down = {"line": {"color": colours.down, "width": 1}, "fillcolor": colours.down_fill}
    hollow_up = {"line": {"color": colours.up, "width": 2}, "fillcolor": colours.background}
    hollow_down = {"line": {"color": colours.down, "width": 2}, "fillcolor": colours.background}
    averages = [
        _trace(
            "scatter", name=f"SMA {length}", yaxis="y", mode="lines", visible=length in style.averages, connectgaps=False,
            line={"color": getattr(colours, f"sma_{length}"), "width": 1.2},
        )
        for length in AVERAGES
    ]  # fmt: skip
    return [
        _trace("candlestick", name="price", yaxis="y", increasing=up, decreasing=down, whiskerwidth=0),
        _trace("candlestick", name="forming", yaxis="y", increasing=hollow_up, decreasing=hollow_down, whiskerwidth=0),
        *averages,
        _trace(
            "bar", name="volume", yaxis="y2", textposition="none", visible=style.has_volume,
            marker={"line": {"width": 0}},
        ),
        _trace("scatter", name="RSI 14", yaxis="y3", mode="lines", line={"color": colours.rsi, "width": 1.3}),
        _trace("bar", name="histogram", yaxis="y4", textposition="none", marker={"line": {"width": 0}}),
        _trace("scatter", name="MACD", yaxis="y4", mode="lines", line={"color": colours.macd, "width": 1.3}),
        _trace("scatter", name="signal", yaxis="y4", mode="lines", line={"color": colours.macd_signal, "width": 1.1}),
    ]  # fmt: skip


def _layout(rows: list[Row], first_x: int, style: Style) -> dict[str, Any]:
    colours = style.palette
    end = first_x + len(rows) - 1
    shown = rows[-SHOWN:]
    axis = {
        "side": "right", "fixedrange": True, "zeroline": False, "gridcolor": colours.grid, "automargin": False,
        "tickfont": {"family": MONO, "size": 11, "color": colours.muted}, "ticklen": 4, "tickcolor": "rgba(0,0,0,0)",
    }  # fmt: skip
    special: dict[str, dict[str, Any]] = {
        panes.PRICE: {"tickformat": f",.{style.digits}f", "nticks": 9, "range": _span(shown)},
        panes.VOLUME: {"nticks": 3, "rangemode": "tozero"},
        panes.RSI: {"tickvals": [RSI_LOW, 50, RSI_HIGH], "range": [8, 92]},
        panes.MACD: {"nticks": 4, "zeroline": True, "zerolinecolor": colours.session_line, "zerolinewidth": 1},
    }
    shares = panes.panes(style)
    axes = {name: {**axis, **more, "visible": name in shares} for name, more in special.items()}
    for name, pane in shares.items():
        axes[name]["domain"] = list(pane.domain)
    return {
        **axes,
        "xaxis": {
            "type": "linear", "anchor": "free", "position": 0, "range": [end - SHOWN + 0.5, end + ROOM], "tickmode": "array",
            "tickvals": [], "ticktext": [], "gridcolor": colours.grid, "zeroline": False, "fixedrange": True,
            "tickfont": {"family": SANS, "size": 12, "color": colours.muted}, "rangeslider": {"visible": False},
        },
        "margin": MARGIN, "paper_bgcolor": colours.background, "plot_bgcolor": "rgba(0,0,0,0)", "showlegend": False,
        "font": {"family": SANS, "size": 12, "color": colours.text}, "hovermode": False, "dragmode": False, "bargap": 0.25,
        "barmode": "overlay", "uirevision": style.view, "shapes": _guides(style), "annotations": _marks(style),
        "meta": {
            "bars": {}, "colors": {
                "direction": [colours.down_wash, colours.up_wash],
                "shade": [colours.down, colours.down_wash, colours.up_wash, colours.up],
            },
            "panes": panes.readouts(style), "view": style.view, "shown": SHOWN, "room": ROOM,
            "up": colours.up, "down": colours.down, "session_line": colours.session_line, "digits": style.digits,
        },
    }  # fmt: skip


def _guides(style: Style) -> list[dict[str, Any]]:
    """The RSI's 30 and 70."""
    colours = style.palette
    line = {"type": "line", "xref": "paper", "x0": 0, "x1": 1, "yref": "y3", "layer": "below"}
    dash = {"color": colours.session_line, "width": 1, "dash": "dash"}
    return [
        {"type": "rect", "xref": "paper", "x0": 0, "x1": 1, "yref": "y3", "y0": RSI_LOW, "y1": RSI_HIGH, "layer": "below",
         "fillcolor": colours.rsi_band, "line": {"width": 0}},
        *({**line, "y0": level, "y1": level, "line": dash} for level in (RSI_LOW, RSI_HIGH)),
    ]  # fmt: skip


def _marks(style: Style) -> list[dict[str, Any]]:
    """SIMULATED across the price pane, so that no picture of made-up prices can pass for the market's."""
    if not style.is_simulated:
        return []
    low, high = panes.panes(style)[panes.PRICE].domain
    return [
        {"name": "watermark", "text": "<b>SIMULATED</b>", "showarrow": False, "xref": "paper", "yref": "paper", "x": 0.5,
         "y": (low + high) / 2, "xanchor": "center", "yanchor": "middle",
         "font": {"family": SANS, "size": 92, "color": style.palette.watermark}},
    ]  # fmt: skip


def _span(rows: list[Row]) -> list[float] | None:
    """The price range of the bars with some air."""
    if not rows:
        return None
    low, high = min(row.low for row in rows), max(row.high for row in rows)
    air = (high - low) * 0.08 or high * 0.001
    return [low - air, high + air]


def _shade(row: Row, earlier: Row | None) -> int:
    """0 falling below zero, 1 rising below zero, 2 falling above zero, 3 rising above zero."""
    value = row.macd_histogram or 0.0
    grows = earlier is None or earlier.macd_histogram is None or value >= earlier.macd_histogram
    return (2 if value >= 0 else 0) + int(grows)


def _price(value: float, style: Style) -> float:
    """As precise as it is printed; the cents of a price that many splits have made small are fractions of one."""
    return round(value, style.digits if value >= 1 or style.adjustment is Adjustment.RAW else style.digits + 2)


def _trace(kind: str, **properties: Any) -> dict[str, Any]:
    return {"type": kind, "hoverinfo": "skip", "showlegend": False, **properties}


def _rounded(value: float | None, digits: int) -> float | None:
    return None if value is None else round(value, digits)


def _put(tree: Any, path: str, value: Any) -> None:
    *way, leaf = path.split(".")
    for step in way:
        tree = tree[int(step)] if isinstance(tree, list) else tree.setdefault(step, {})
    if not isinstance(tree, list):
        tree[leaf] = value
    elif int(leaf) == len(tree):
        tree.append(value)
    else:
        tree[int(leaf)] = value
