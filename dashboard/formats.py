"""Numbers and times as words. A missing value is a dash, never a zero."""

from datetime import UTC, date, datetime
from zoneinfo import ZoneInfo

DASH = "–"
MINUS = "−"
UNITS = ((1e12, "T"), (1e9, "B"), (1e6, "M"), (1e3, "K"))


def price(value: float | None, digits: int) -> str:
    return DASH if value is None else f"{value:,.{digits}f}"


def signed(value: float | None, digits: int) -> str:
    """With its sign always shown; the minus is as wide as the plus."""
    if value is None:
        return DASH
    text = f"{value:+,.{digits}f}"
    return text.replace("-", MINUS)


def percent(value: float | None) -> str:
    return DASH if value is None else f"{signed(value, 2)} %"


def amount(value: float | None) -> str:
    """A volume in at most five characters: 950, 12.3K, 4.56M."""
    if value is None:
        return DASH
    for size, unit in UNITS:
        if value >= size:
            scaled = value / size
            return f"{scaled:.{2 if scaled < 10 else 1 if scaled < 100 else 0}f}{unit}"
    return f"{value:.0f}"


def age(seconds: float) -> str:
    """0.4 s, 12 s, 3 min 20 s, 2 h 5 min, 3 d 4 h. `static/ages.js` counts on in the same words."""
    if seconds < 10:
        return f"{max(seconds, 0):.1f} s"
    whole = int(seconds)
    if whole < 60:
        return f"{whole} s"
    if whole < 3_600:
        return f"{whole // 60} min {whole % 60} s"
    if whole < 86_400:
        return f"{whole // 3_600} h {whole % 3_600 // 60} min"
    return f"{whole // 86_400} d {whole % 86_400 // 3_600} h"


def instant(ts_ms: int) -> datetime:
    """Milliseconds since the epoch as a time; before 1970 they are below zero."""
    return datetime.fromtimestamp(ts_ms / 1000, UTC)


def moment(at: datetime, zone: ZoneInfo, with_seconds: bool = True) -> str:
    """Fri 20 Nov 16:00:00 EST"""
    local = at.astimezone(zone)
    return f"{day(local)} {local:{'%H:%M:%S' if with_seconds else '%H:%M'} %Z}"


def day(at: date) -> str:
    """Fri 20 Nov"""
    return f"{at:%a} {at.day} {at:%b}"


def zone_of(name: str | None) -> ZoneInfo:
    """The exchange's time zone; UTC until it is known."""
    return ZoneInfo(name or "UTC")
