"""The line above the chart: the last price, what it is measured against, and how old it is."""

from typing import Any

from dashboard import formats
from dashboard.feed import Snapshot
from dashboard.freshness import AMBER_S, RED_S, Freshness, Market, freshness, hours
from dashboard.queries import Latest
from dashboard.source import is_simulated
from dashboard.templating import direction, render


def quote(snapshot: Snapshot) -> str:
    instrument, latest = snapshot.instrument, snapshot.latest
    digits = instrument.price_precision if instrument else 2
    parts = [instrument.name, instrument.exchange, instrument.timezone] if instrument else []
    return render(
        "quote.html",
        symbol=snapshot.symbol,
        name=" · ".join(part for part in parts if part),
        simulated=shows_simulated(snapshot),
        currency=(instrument.currency if instrument else None) or "",
        priced=latest is not None,
        price=formats.price(latest.price if latest else None, digits),
        change=formats.signed(latest.change if latest else None, digits),
        change_pct=formats.percent(latest.change_pct if latest else None),
        previous_close=formats.price(latest.previous_close, digits) if latest and latest.previous_close else "",
        direction=direction(latest.change if latest else None),
        fresh=_freshness(snapshot),
        ranges=_ranges(latest, digits) if latest else [],
        facts=_facts(snapshot, digits),
    )


def tab_title(snapshot: Snapshot) -> str:
    """What the browser's tab says: the price moves there too, and what is simulated says so."""
    instrument, latest = snapshot.instrument, snapshot.latest
    words = [snapshot.symbol or "Candlestream"]
    if instrument and latest:
        words += [formats.price(latest.price, instrument.price_precision), formats.percent(latest.change_pct)]
    if shows_simulated(snapshot):
        words.insert(0, "SIMULATED")
    return " ".join(words)


def shows_simulated(snapshot: Snapshot) -> bool:
    """A symbol that is not known yet goes by the others of the same database: sources never share one."""
    known = snapshot.latest or snapshot.instrument or next(iter(snapshot.instruments), None)
    return known is not None and is_simulated(known.source)


def _freshness(snapshot: Snapshot) -> dict[str, Any]:
    """`since_ms` is there where the age goes on counting: a closed market's price does not grow stale."""
    latest = snapshot.latest
    limits = {"amber_s": AMBER_S, "red_s": RED_S}
    if latest is None:
        return {"level": Freshness.SLOW, "words": "no price yet", "detail": "", "since_ms": None, "age": "", **limits}
    zone = formats.zone_of(snapshot.instrument.timezone if snapshot.instrument else None)
    when = hours(snapshot.sessions, snapshot.now)
    age_s = (snapshot.now - latest.event_time).total_seconds()
    level = freshness(when.market, age_s)
    traded = formats.moment(latest.event_time, zone)
    if level is Freshness.CLOSED:
        words = "market closed" if when.market is Market.CLOSED else "midday break"
        return {
            "level": level,
            "words": words,
            "detail": f"last traded {traded}",
            "since_ms": None,
            "age": "",
            **limits,
        }
    extended = ", extended hours" if latest.session == "ext" else ""
    since_ms = int(latest.event_time.timestamp() * 1000)
    detail = f"traded {traded}{extended}"
    return {"level": level, "words": "", "detail": detail, "since_ms": since_ms, "age": formats.age(age_s), **limits}


def _ranges(latest: Latest, digits: int) -> list[dict[str, Any]]:
    """Where the price stands between the day's and the year's extremes."""
    found = []
    extremes = (("Day", latest.day_low, latest.day_high), ("52 weeks", latest.week52_low, latest.week52_high))
    for name, low, high in extremes:
        if low is not None and high is not None:
            low, high = min(low, latest.price), max(high, latest.price)
            at = round(100 * (latest.price - low) / ((high - low) or 1.0))
            found.append(
                {"name": name, "low": formats.price(low, digits), "high": formats.price(high, digits), "at": at}
            )
    return found


def _facts(snapshot: Snapshot, digits: int) -> list[tuple[str, str, str]]:
    """Name, value and the words that explain it."""
    if snapshot.latest is None and snapshot.five_minute_mean is None:
        return []
    mean = formats.price(snapshot.five_minute_mean, digits)
    facts = [("5-min mean", mean, "Mean of the last five one-minute closes: SMA 5 of the 1m bars")]
    if snapshot.instrument is None or snapshot.instrument.has_volume:
        volume = snapshot.latest.day_volume if snapshot.latest else None
        facts.append(("Volume", formats.amount(volume), "Traded in this session so far"))
    return facts
