"""The page's words as HTML: the quote above the chart and the rail beside it. Everything is escaped by the templates."""

from pathlib import Path
from typing import Any
from urllib.parse import urlencode

from jinja2 import Environment, FileSystemLoader, StrictUndefined

from dashboard import formats
from dashboard.feed import Snapshot
from dashboard.freshness import AMBER_S, RED_S, Freshness, Market, freshness, hours
from dashboard.notices import SPARK_SILENT_S
from dashboard.queries import Latest, Quality, Service, Watched

TEMPLATES = Environment(
    loader=FileSystemLoader(Path(__file__).parent / "templates"),
    autoescape=True,
    undefined=StrictUndefined,
    trim_blocks=True,
    lstrip_blocks=True,
)
SPARK_WIDTH, SPARK_HEIGHT = 60, 18


def quote(snapshot: Snapshot) -> str:
    """The big number, what it is measured against, and how old it is."""
    instrument, latest = snapshot.instrument, snapshot.latest
    digits = instrument.price_precision if instrument else 2
    source = latest.source if latest else instrument.source if instrument else "yahoo"
    place = [instrument.exchange, instrument.timezone] if instrument else []
    return TEMPLATES.get_template("quote.html").render(
        symbol=snapshot.symbol,
        name=" · ".join(part for part in [instrument.name if instrument else None, *place] if part),
        simulated=source != "yahoo",
        currency=(instrument.currency if instrument else None) or "",
        price=formats.price(latest.price if latest else None, digits),
        change=formats.signed(latest.change if latest else None, digits),
        change_pct=formats.percent(latest.change_pct if latest else None),
        previous_close=formats.price(latest.previous_close, digits) if latest and latest.previous_close else "",
        direction=direction(latest.change if latest else None),
        amber_s=AMBER_S,
        red_s=RED_S,
        **_freshness(snapshot),
        ranges=_ranges(latest, digits) if latest else [],
        facts=_facts(snapshot, digits),
    )


def rail(snapshot: Snapshot) -> str:
    """The watch list, the session's data quality and how each process is."""
    return TEMPLATES.get_template("rail.html").render(
        rows=[_watched(row, snapshot) for row in snapshot.watchlist],
        quality=_quality(snapshot.quality) if snapshot.quality else None,
        services=[_service(service) for service in snapshot.services],
    )


def direction(change: float | None) -> str:
    return "flat" if not change else "up" if change > 0 else "down"


def spark(closes: list[float]) -> str:
    """The points of a small line, left to right."""
    low, high = min(closes), max(closes)
    span = (high - low) or 1.0
    step = SPARK_WIDTH / max(len(closes) - 1, 1)
    top = SPARK_HEIGHT - 2
    return " ".join(f"{k * step:.0f},{1 + top * (1 - (close - low) / span):.1f}" for k, close in enumerate(closes))


def _freshness(snapshot: Snapshot) -> dict[str, Any]:
    latest, now = snapshot.latest, snapshot.now
    zone = formats.zone_of(snapshot.instrument.timezone if snapshot.instrument else None)
    when = hours(snapshot.sessions, now)
    if latest is None:
        return {
            "freshness": "slow",
            "counts": False,
            "fresh_words": "no price yet",
            "fresh_detail": "",
            "since_ms": None,
            "age": "",
        }
    age_s = (now - latest.event_time).total_seconds()
    kind = freshness(when.market, age_s)
    traded = formats.moment(latest.event_time, zone)
    if kind is Freshness.CLOSED:
        words = "market closed" if when.market is Market.CLOSED else "midday break"
        opens = f", opens {formats.moment(when.opens_at, zone)}" if when.opens_at else ""
        return {
            "freshness": kind, "counts": False, "fresh_words": words, "fresh_detail": f"last traded {traded}{opens}",
            "since_ms": None, "age": "",
        }  # fmt: skip
    extended = " (extended hours)" if latest.session == "ext" else ""
    return {
        "freshness": kind, "counts": True, "fresh_words": "newest number", "fresh_detail": f"traded {traded}{extended}",
        "since_ms": int(latest.event_time.timestamp() * 1000), "age": formats.age(age_s),
    }  # fmt: skip


def _ranges(latest: Latest, digits: int) -> list[dict[str, Any]]:
    """Where the price stands between the day's and the year's extremes."""
    found = []
    for name, low, high in (
        ("Day", latest.day_low, latest.day_high),
        ("52 weeks", latest.week52_low, latest.week52_high),
    ):
        if low is not None and high is not None:
            low, high = min(low, latest.price), max(high, latest.price)
            at = 100 * (latest.price - low) / ((high - low) or 1.0)
            found.append(
                {"name": name, "low": formats.price(low, digits), "high": formats.price(high, digits), "at": round(at)}
            )
    return found


def _facts(snapshot: Snapshot, digits: int) -> list[tuple[str, str, str]]:
    latest, has_volume = snapshot.latest, snapshot.instrument is None or snapshot.instrument.has_volume
    facts = [
        (
            "5-min mean",
            formats.price(snapshot.five_minute_mean, digits),
            "Mean of the last five one-minute closes (SMA 5 of 1m)",
        )
    ]
    if has_volume:
        facts.append(("Volume", formats.amount(latest.day_volume if latest else None), "Traded in this session so far"))
    return facts


def _watched(row: Watched, snapshot: Snapshot) -> dict[str, Any]:
    closes = snapshot.sparks.get(row.symbol)
    return {
        "symbol": row.symbol,
        "on": row.symbol == snapshot.symbol,
        "href": "?" + urlencode({"symbol": row.symbol, "timeframe": snapshot.timeframe}),
        "price": formats.price(row.price, row.precision) if row.state != "unknown" else "unknown",
        "change_pct": formats.percent(row.change_pct) if row.change_pct is not None else "",
        "direction": direction(row.change_pct),
        "spark": spark(closes) if closes else "",
    }


def _quality(quality: Quality) -> dict[str, Any]:
    expected, present = quality.expected, quality.present
    counts = [
        ("expected", expected, "", "Minutes of the session so far"),
        ("present", present, "", "Minutes that have a bar"),
        ("missing", quality.missing, "bad", "Minutes without a bar: no trade, or a gap"),
        ("late", quality.late, "warn", "Ticks that came after their minute was closed"),
        ("corrected", quality.corrected, "warn", "Bars that were revised after they were closed"),
        (
            "dead-lettered",
            quality.dead_lettered,
            "bad",
            "Records that were refused; their bytes are kept in v1.dead_letters",
        ),
    ]
    return {
        "session": f"{quality.session_date:%a} {quality.session_date.day} {quality.session_date:%b}",
        "present_pct": round(100 * min(present / expected, 1), 1) if expected and present is not None else 0,
        "counts": [
            (name, formats.DASH if value is None else f"{value:,}", level if value else "", title)
            for name, value, level, title in counts
        ],
        "note": quality.note,
    }


def _service(service: Service) -> dict[str, str]:
    silent = service.age_s > SPARK_SILENT_S * 2 if service.name != "spark" else service.age_s > SPARK_SILENT_S
    level = "stale" if silent or service.state == "stopped" else "live" if service.state == "ok" else "slow"
    state = f"silent for {formats.age(service.age_s)}" if silent else service.state
    return {"name": service.name, "state": state, "level": level, "detail": service.detail}
