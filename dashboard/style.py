"""What a chart looks like apart from its numbers. Two equal styles draw the same picture of the same bars."""

from dataclasses import dataclass
from zoneinfo import ZoneInfo

from dashboard.adjustment import DEFAULT_ADJUSTMENT, Adjustment
from dashboard.palette import Palette
from dashboard.source import is_simulated

AVERAGES = (5, 20, 50, 200)


@dataclass(frozen=True, slots=True)
class Style:
    symbol: str
    timeframe: str
    zone: ZoneInfo
    digits: int
    has_volume: bool
    source: str
    averages: tuple[int, ...]
    palette: Palette
    adjustment: Adjustment = DEFAULT_ADJUSTMENT

    @property
    def is_simulated(self) -> bool:
        return is_simulated(self.source)

    @property
    def view(self) -> str:
        """What a zoom belongs to: another symbol or frame has its own."""
        return f"{self.symbol} {self.timeframe}"
