"""What stands in the chart's place while there is no chart: what could be opened instead, or what is awaited."""

from urllib.parse import urlencode

from dashboard.feed import Snapshot
from dashboard.templating import render


def empty(snapshot: Snapshot) -> str:
    """HTML, and nothing where there are bars. The symbols are links, as those of the watch list are."""
    if snapshot.rows and snapshot.instrument is not None:
        return ""
    return render("empty.html", words=_words(snapshot), symbols=_others(snapshot))


def _words(snapshot: Snapshot) -> str:
    instrument = snapshot.instrument
    if instrument is None or instrument.state == "unknown":
        return "Tracked symbols:" if _others(snapshot) else "The chart is drawn when a symbol has its first candle."
    if snapshot.timeframes and snapshot.timeframe not in snapshot.timeframes:
        return f"{snapshot.symbol} has candles of {', '.join(snapshot.timeframes)}."
    return f"The chart is drawn when {snapshot.symbol} has its first candle."


def _others(snapshot: Snapshot) -> list[dict[str, str]]:
    """The tracked symbols that the provider knows, where the one that was asked for cannot be shown."""
    if snapshot.instrument is not None and snapshot.instrument.state != "unknown":
        return []
    return [
        {
            "symbol": one.symbol,
            "name": one.name or "",
            "href": "?" + urlencode({"symbol": one.symbol, "timeframe": snapshot.timeframe}),
        }
        for one in snapshot.instruments
        if one.state != "unknown"
    ]
