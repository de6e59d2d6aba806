"""What Yahoo's chart endpoint is asked for, its limits, and its own words where it refuses."""

import re
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta

from simulator.market import Instrument
from simulator.parts import Part, window

DAY_S = 86_400
INTRADAY_MINUTES = {"1m": 1, "2m": 2, "5m": 5, "15m": 15, "30m": 30, "60m": 60, "90m": 90, "1h": 60}
LONG_INTERVALS = ("1d", "5d", "1wk", "1mo", "3mo")
INTERVALS = (*INTRADAY_MINUTES, *LONG_INTERVALS)
RANGES = ("1d", "5d", "1mo", "3mo", "6mo", "1y", "2y", "5y", "10y", "ytd", "max")
RANGE_FORMAT = re.compile(r"([1-9][0-9]{0,3})(d|wk|mo|y)")
# How far back each interval reaches, in days, and how much of one-minute data one request may ask for.
REACH_DAYS = {"1m": 30, "2m": 60, "5m": 60, "15m": 60, "30m": 60, "90m": 60, "60m": 730, "1h": 730}
ONE_MINUTE_REQUEST_DAYS = 8
# Clients compute their start a moment before the request; a named range (2y of hours) may be two days longer than the reach.
LENIENCE_S = 3600
NAMED_LENIENCE_S = 2 * DAY_S


class ChartError(Exception):
    """An answer of Yahoo's without data: HTTP status, code and description."""

    def __init__(self, status: int, code: str, description: str) -> None:
        super().__init__(description)
        self.status = status
        self.code = code
        self.description = description


@dataclass(frozen=True, slots=True)
class ChartRequest:
    """A parsed query. The window is half-open, in seconds; `range_name` is empty where it was given by its ends."""

    interval: str
    start_s: int
    end_s: int
    range_name: str
    include_pre_post: bool
    with_actions: bool


def not_found(symbol: str) -> ChartError:
    return ChartError(404, "Not Found", "No data found, symbol may be delisted")


def parse_request(query: dict[str, str], instrument: Instrument, now_s: int) -> ChartRequest:
    """The request in a query string. Raises `ChartError` as Yahoo refuses."""
    interval = query.get("interval", "1d").lower()
    if interval not in INTERVALS:
        valid = ", ".join(INTERVALS)
        raise ChartError(
            422,
            "Unprocessable Entity",
            f"Invalid input - interval={interval} is not supported. Valid intervals: [{valid}]",
        )
    include_pre_post = query.get("includePrePost", "false").lower() == "true"
    range_name, sessions = "", None
    if "period1" in query or "period2" in query:
        try:
            start_s, end_s = int(float(query.get("period1", 0))), int(float(query.get("period2", now_s)))
        except ValueError as error:
            raise ChartError(400, "Bad Request", f"Invalid input - {error}") from error
        if start_s >= end_s:
            raise ChartError(400, "Bad Request", "Invalid input - start date cannot be after end date. ")
    else:
        range_name = query.get("range", "1d").lower()
        start_s, end_s = range_window(range_name, interval, instrument, include_pre_post, now_s)
        match = RANGE_FORMAT.fullmatch(range_name)
        sessions = int(match[1]) if match is not None and match[2] == "d" else None
    check_reach(interval, start_s, end_s, sessions, NAMED_LENIENCE_S if range_name else LENIENCE_S, now_s)
    return ChartRequest(
        interval=interval,
        start_s=start_s,
        end_s=end_s,
        range_name=range_name,
        include_pre_post=include_pre_post,
        with_actions=bool(set(query.get("events", "").lower().split(",")) & {"div", "split", "splits", "history"}),
    )


def range_window(
    name: str, interval: str, instrument: Instrument, include_pre_post: bool, now_s: int
) -> tuple[int, int]:
    """The window that a range means: days are sessions, longer ranges go back on the calendar."""
    row = instrument.row_at(now_s * 1000)
    first_s = instrument.open_ms(0) // 1000
    end_s = now_s + 1
    today = datetime.fromtimestamp(now_s, UTC).date()
    match = RANGE_FORMAT.fullmatch(name)
    if name == "max":
        if interval in REACH_DAYS:
            return now_s - (ONE_MINUTE_REQUEST_DAYS if interval == "1m" else REACH_DAYS[interval]) * DAY_S, end_s
        return first_s, end_s
    if name == "ytd":
        return midnight_s(date(today.year, 1, 1)), end_s
    if match is None:
        raise ChartError(
            422,
            "Unprocessable Entity",
            f"Invalid input - range={name} is not supported. Valid ranges: {', '.join(RANGES)}",
        )
    count, unit = int(match[1]), match[2]
    if unit == "d":
        part = Part.PRE if include_pre_post else Part.REGULAR
        if include_pre_post and window(instrument, row + 1, Part.PRE)[0] <= now_s * 1000:
            row += 1
        return window(instrument, max(row - count + 1, 0), part)[0] // 1000, end_s
    if unit == "wk":
        return now_s - count * 7 * DAY_S, end_s
    return midnight_s(months_before(today, count * (12 if unit == "y" else 1))), end_s


def check_reach(interval: str, start_s: int, end_s: int, sessions: int | None, lenience_s: int, now_s: int) -> None:
    """Refuses what lies farther back than the interval reaches, in Yahoo's words.

    A range in days counts `sessions`, which are more days than that on an exchange that keeps weekends.
    """
    if interval not in REACH_DAYS:
        return
    prefix = f"{interval} data not available for startTime={start_s} and endTime={end_s}."
    asked_days = sessions if sessions is not None else (end_s - start_s - lenience_s) / DAY_S
    back_days = sessions if sessions is not None else (now_s - start_s - lenience_s) / DAY_S
    if interval == "1m" and asked_days > ONE_MINUTE_REQUEST_DAYS:
        raise ChartError(
            422,
            "Unprocessable Entity",
            f"{prefix} Only {ONE_MINUTE_REQUEST_DAYS} days worth of 1m granularity data are allowed to be fetched per request.",
        )
    reach_days = REACH_DAYS[interval]
    if back_days > reach_days:
        raise ChartError(
            422, "Unprocessable Entity", f"{prefix} The requested range must be within the last {reach_days} days."
        )


def months_before(day: date, months: int) -> date:
    at = max(day.year * 12 + day.month - 1 - months, 1970 * 12)
    first = date(at // 12, at % 12 + 1, 1)
    return min(first + timedelta(days=day.day - 1), (first + timedelta(days=32)).replace(day=1) - timedelta(days=1))


def midnight_s(day: date) -> int:
    return int(datetime(day.year, day.month, day.day, tzinfo=UTC).timestamp())
