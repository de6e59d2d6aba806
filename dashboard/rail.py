"""The column beside the chart: the watch list, the market's hours, the session's data quality, and how each process is."""

import math
from typing import Any
from urllib.parse import urlencode

from dashboard import formats
from dashboard.deployment import Deployment
from dashboard.feed import Snapshot
from dashboard.freshness import Market, hours
from dashboard.notices import SILENT_S
from dashboard.queries import Quality, Refused, Service, Watched
from dashboard.templating import direction, render

SPARK_WIDTH, SPARK_HEIGHT = 120, 36
"""In units of the drawing, half a pixel each, so that whole numbers are fine enough."""

# These two say every few seconds that they live; tasks speak when they run, which for most of them is now and then.
CONTINUOUS = ("ingestion", "spark")
# The poll comes each minute: three that failed are a fault.
POLL_PATIENCE_S = 180.0
# Of a process's word about itself; all others are a matter of waiting.
LEVELS = {"ok": "live", "working": "live", "stopped": "stale", "interrupted": "stale"}


def rail(snapshot: Snapshot, deployment: Deployment = Deployment.NATIVE) -> str:
    return render(
        "rail.html",
        rows=[_watched(row, snapshot) for row in snapshot.watchlist],
        market=_market(snapshot),
        quality=_quality(snapshot.quality) if snapshot.quality else None,
        services=[*(_service(service) for service in snapshot.services), *_refused(snapshot.refused, deployment)],
    )


def spark(closes: list[float]) -> str:
    """The points of a small line, left to right."""
    low, high = min(closes), max(closes)
    span = (high - low) or 1.0
    step = SPARK_WIDTH / max(len(closes) - 1, 1)
    top = SPARK_HEIGHT - 2
    return " ".join(f"{k * step:.0f},{1 + top * (1 - (close - low) / span):.0f}" for k, close in enumerate(closes))


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


def _market(snapshot: Snapshot) -> list[tuple[str, str]]:
    """The session's hours in the exchange's time; nothing where the calendar is not known."""
    when = hours(snapshot.sessions, snapshot.now)
    if when.session is None or snapshot.instrument is None:
        return []
    zone = formats.zone_of(snapshot.instrument.timezone)
    opens, closes = when.session.opens_at.astimezone(zone), when.session.closes_at.astimezone(zone)
    around = (closes - opens).total_seconds() >= 86_400
    span = "around the clock" if around else f"{opens:%H:%M} – {closes:%H:%M}"
    lines = [
        ("Exchange time", f"{snapshot.now.astimezone(zone):%H:%M:%S %Z}"),
        (f"Session {formats.day(when.session.session_date)}", span),
    ]
    if when.market is Market.OPEN and not around:
        lines.append(("Closes in", formats.age((when.session.closes_at - snapshot.now).total_seconds())))
    if when.opens_at:
        lines.append(("Opens", formats.moment(when.opens_at, zone, with_seconds=False)))
    return lines


def _quality(quality: Quality) -> dict[str, Any]:
    expected, present = quality.expected, quality.present
    counts = [
        ("expected", expected, "", "Minutes of the session so far"),
        ("present", present, "", "Minutes that have a bar"),
        ("missing", quality.missing, "bad", "Minutes without a bar: no trade, or a gap"),
        ("late", quality.late, "warn", "Ticks that came after their minute was closed"),
        ("corrected", quality.corrected, "warn", "Bars that were revised after they were closed"),
        ("dead-lettered", quality.dead_lettered, "bad", "Records that were refused; v1.dead_letters keeps their bytes"),
    ]
    return {
        "session": formats.day(quality.session_date),
        "present_pct": round(100 * min(present / expected, 1), 1) if expected and present is not None else 0,
        "counts": [
            {
                "name": name,
                "value": formats.DASH if value is None else f"{value:,}",
                "level": level if value else "",
                "title": title,
            }
            for name, value, level, title in counts
        ],
        "note": quality.note,
        "quarantine": quality.quarantine,
    }


def _refused(refused: Refused | None, deployment: Deployment) -> list[dict[str, str]]:
    """A line below the processes: the symbols' own counts tell of those letters alone that name a symbol."""
    if refused is None:
        return []
    more = "+" if refused.is_more else ""
    state = f"{refused.letters:,}{more} in a day" if refused.letters else "none"
    detail = (
        f"{refused.letters:,}{more} records were refused in the last 24 hours; {refused.of_no_symbol:,} of them name no known"
        f" symbol and are in no symbol's counts. {deployment.ingestion('dead-letters list')} shows them"
    )
    return [{"name": "dead letters", "state": state, "level": "slow" if refused.letters else "live", "detail": detail}]


def _service(service: Service) -> dict[str, str]:
    patience_s = SILENT_S if service.name in CONTINUOUS else POLL_PATIENCE_S if service.name == "poll" else math.inf
    if service.age_s > patience_s:
        level, state = "stale", f"silent for {formats.age(service.age_s)}"
    elif service.name not in CONTINUOUS and service.state in ("ok", "stopped"):
        level, state = "live", f"{formats.age(service.age_s)} ago"
    else:
        level, state = LEVELS.get(service.state, "slow"), service.state
    return {"name": service.name, "state": state, "level": level, "detail": service.detail}
