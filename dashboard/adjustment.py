"""On which scale older prices stand: as printed, in today's shares, or with dividends put back in (docs/database.md)."""

from enum import StrEnum


class Adjustment(StrEnum):
    RAW = "raw"
    SPLIT = "split"
    TOTAL_RETURN = "total_return"

    @property
    def words(self) -> str:
        """As the chart and its chooser say it."""
        return {
            Adjustment.RAW: "as printed",
            Adjustment.SPLIT: "split-adjusted",
            Adjustment.TOTAL_RETURN: "total return",
        }[self]


DEFAULT_ADJUSTMENT = Adjustment.SPLIT
