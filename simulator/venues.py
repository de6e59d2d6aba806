"""The exchanges: Yahoo's code and name of each, its time zone, its calendar and its hours around the regular session."""

from dataclasses import dataclass
from typing import Any


@dataclass(frozen=True, slots=True)
class Venue:
    """An exchange. `calendar` is a code of exchange_calendars, which knows it since `calendar_since`, or `24/7`, `24/5`.

    `pre_opens_minute` is of the local day (None: no trading before the session), `post_minutes` a length after the close.
    """

    code: str
    full_name: str
    timezone: str
    calendar: str
    pre_opens_minute: int | None = None
    post_minutes: int = 0
    calendar_since: str = "1970-01-02"


SIMULATED = Venue("SIM", "Simulated Exchange", "UTC", "24/7")

NEW_YORK_HOURS: dict[str, Any] = {
    "timezone": "America/New_York",
    "calendar": "XNYS",
    "pre_opens_minute": 240,
    "post_minutes": 240,
}

VENUES = {
    venue.code: venue
    for venue in (
        SIMULATED,
        Venue("NMS", "NasdaqGS", **NEW_YORK_HOURS),
        Venue("NYQ", "NYSE", **NEW_YORK_HOURS),
        Venue("PCX", "NYSEArca", **NEW_YORK_HOURS),
        Venue("NGM", "NasdaqGM", **NEW_YORK_HOURS),
        Venue("BTS", "Cboe US", **NEW_YORK_HOURS),
        Venue("SNP", "SNP", "America/New_York", "XNYS"),
        Venue("DJI", "DJI", "America/New_York", "XNYS"),
        Venue("NIM", "Nasdaq GIDS", "America/New_York", "XNYS"),
        Venue("WCB", "Chicago Options", "America/New_York", "XNYS"),
        Venue("CGI", "Cboe Indices", "America/Chicago", "XNYS"),
        Venue("NYS", "NYSE", "America/New_York", "XNYS"),
        Venue("TOR", "Toronto", "America/Toronto", "XTSE"),
        Venue("LSE", "LSE", "Europe/London", "XLON"),
        Venue("FGI", "FTSE Index", "Europe/London", "XLON"),
        Venue("GER", "XETRA", "Europe/Berlin", "XETR"),
        Venue("ZRH", "Zurich", "Europe/Zurich", "XSWX"),
        Venue("PAR", "Paris", "Europe/Paris", "XPAR"),
        Venue("STO", "Stockholm", "Europe/Stockholm", "XSTO"),
        Venue("JPX", "Tokyo", "Asia/Tokyo", "XTKS", calendar_since="1997-01-06"),
        Venue("OSA", "Osaka", "Asia/Tokyo", "XTKS", calendar_since="1997-01-06"),
        Venue("HKG", "HKSE", "Asia/Hong_Kong", "XHKG"),
        Venue("CCC", "CCC", "UTC", "24/7"),
        Venue("CCY", "CCY", "Europe/London", "24/5"),
    )
}
