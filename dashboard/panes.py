"""How the chart's height is shared out, and what the line of words at the top of each pane reads from which column."""

from dataclasses import dataclass

from dashboard.style import AVERAGES, Style

GAP = 0.012
PRICE, VOLUME, RSI, MACD = "yaxis", "yaxis2", "yaxis3", "yaxis4"
# What a line of words reads from which column.
Item = dict[str, object]
SHARES = {VOLUME: 0.11, RSI: 0.14, MACD: 0.16}


@dataclass(frozen=True, slots=True)
class Pane:
    axis: str
    domain: tuple[float, float]


def panes(style: Style) -> dict[str, Pane]:
    """From top to bottom; an instrument without volume has no volume pane, and its prices get the room."""
    below = [axis for axis in SHARES if axis != VOLUME or style.has_volume]
    top = 1.0
    price_share = 1.0 - sum(SHARES[axis] + GAP for axis in below)
    out: dict[str, Pane] = {}
    for axis, share in [(PRICE, price_share), *((axis, SHARES[axis]) for axis in below)]:
        bottom = max(top - share, 0.0)
        out[axis] = Pane(axis, (round(bottom, 4), round(top, 4)))
        top = bottom - GAP
    return out


def readouts(style: Style) -> list[Item]:
    """For each pane its title and its items: name, column, colour, decimals (or "amount" for volumes, "%" for a change).

    `short` is the title of a narrow chart, on which an item with a `legend` shows that in place of name and value.
    """
    colours, digits = style.palette, style.digits
    bar: list[Item] = [
        {"name": name, "column": f"data.0.{key}", "format": digits, "color": "direction"}
        for name, key in (("O", "open"), ("H", "high"), ("L", "low"), ("C", "close"))
    ]
    change: list[Item] = [{"name": "", "column": "layout.meta.bars.change_pct", "format": "%", "color": "direction"}]
    averages: list[Item] = [
        {
            "name": f"SMA {length}",
            "column": f"data.{trace}.y",
            "format": digits,
            "color": getattr(colours, f"sma_{length}"),
            "legend": f"SMA {length}" if length == min(style.averages) else str(length),
        }
        for trace, length in zip((2, 3, 4, 5), AVERAGES, strict=True)
        if length in style.averages
    ]
    volume: list[Item] = [{"name": "", "column": "data.6.y", "format": "amount", "color": "direction"}]
    rsi: list[Item] = [{"name": "", "column": "data.7.y", "format": 1, "color": colours.rsi}]
    macd: list[Item] = [
        {"name": "", "column": "data.9.y", "format": digits + 2, "color": colours.macd},
        {"name": "signal", "column": "data.10.y", "format": digits + 2, "color": colours.macd_signal},
        {"name": "hist", "column": "data.8.y", "format": digits + 2, "color": colours.muted},
    ]
    of = f"{style.symbol} {style.timeframe}"
    lines: dict[str, tuple[str, str, list[Item]]] = {
        PRICE: (f"{of} {style.adjustment.words}", of, [*bar, *change, *averages]),
        VOLUME: ("Volume", "Volume", volume),
        RSI: ("RSI 14", "RSI 14", rsi),
        MACD: ("MACD 12 26 9", "MACD", macd),
    }
    return [
        {"axis": axis, "title": title, "short": short, "items": items}
        for axis in panes(style)
        for title, short, items in [lines[axis]]
    ]
