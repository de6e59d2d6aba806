"""The bar lengths, and where a bar of each begins and ends."""

from dataclasses import dataclass

MINUTE_MS = 60_000
DAY_MS = 86_400_000


@dataclass(frozen=True, slots=True)
class Timeframe:
    """A bar length. `minutes` is 0 for frames that count sessions (1d, 1w, 1mo) and not minutes."""

    name: str
    minutes: int

    @property
    def is_intraday(self) -> bool:
        return self.minutes > 0

    @property
    def length_ms(self) -> int:
        return self.minutes * MINUTE_MS


TIMEFRAMES = {
    frame.name: frame
    for frame in (
        Timeframe("1m", 1),
        Timeframe("5m", 5),
        Timeframe("15m", 15),
        Timeframe("30m", 30),
        Timeframe("1h", 60),
        Timeframe("1d", 0),
        Timeframe("1w", 0),
        Timeframe("1mo", 0),
    )
}
INTRADAY = tuple(frame for frame in TIMEFRAMES.values() if frame.is_intraday)


def bucket_start_ms(ts_ms: int, frame: Timeframe, session_open_ms: int) -> int:
    """The start of the intraday bar that holds `ts_ms`: whole frames counted from the session's open."""
    return session_open_ms + (ts_ms - session_open_ms) // frame.length_ms * frame.length_ms
