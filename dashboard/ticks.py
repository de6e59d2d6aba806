"""The words of the time axis. Bars stand side by side (no holes for nights), so each bar carries its own label and a rank: the
screen draws the highest ranks for which there is room, and a new session outranks any hour."""

from dataclasses import dataclass
from datetime import date, datetime
from zoneinfo import ZoneInfo

from dashboard import formats
from dashboard.queries import Row
from market.timeframes import TIMEFRAMES

YEAR, MONTH, SESSION, WEEK = 9, 8, 7, 6
MINUTE_RANKS = ((240, 5), (60, 4), (30, 3), (15, 2), (5, 1))


@dataclass(frozen=True, slots=True)
class Label:
    rank: int
    tick: str
    full: str


def labels(rows: list[Row], timeframe: str, zone: ZoneInfo, before: date | None = None) -> list[Label]:
    """One label a bar, in the exchange's time. `before` is the session of the bar in front of the first one."""
    intraday = TIMEFRAMES[timeframe].is_intraday
    out: list[Label] = []
    for row in rows:
        if intraday:
            out.append(_intraday(row, formats.instant(row.ts_ms), zone, before))
        else:
            out.append(_daily(row.session_date, timeframe, before))
        before = row.session_date
    return out


def _intraday(row: Row, at: datetime, zone: ZoneInfo, before: date | None) -> Label:
    local = at.astimezone(zone)
    full = f"{local:%a} {local.day} {local:%b %Y %H:%M}"
    if before is not None and row.session_date != before:
        return Label(SESSION, formats.day(row.session_date), full)
    minute = local.hour * 60 + local.minute
    rank = next((rank for minutes, rank in MINUTE_RANKS if minute % minutes == 0), 0)
    return Label(rank, f"{local:%H:%M}", full)


def _daily(day: date, timeframe: str, before: date | None) -> Label:
    full = f"{day:%B %Y}" if timeframe == "1mo" else f"{day:%a} {day.day} {day:%b %Y}"
    if before is not None and day.year != before.year:
        return Label(YEAR, f"{day:%Y}", full)
    if before is not None and day.month != before.month:
        return Label(MONTH, f"{day:%b}", full)
    week = before is not None and day.isocalendar().week != before.isocalendar().week
    return Label(WEEK if week else 0, f"{day.day} {day:%b}", full)
