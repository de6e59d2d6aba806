"""How often each symbol can be asked for within the budget. Pure."""

from dataclasses import dataclass

from market.timeframes import MINUTE_MS

# Of the requests, what goes to daily bars; all others are minutes.
SHARE_OF_DAYS = 1 / 15
# No need to ask for a day in progress more often than this.
DAYS_EVERY_MINUTES = 10.0


@dataclass(frozen=True, slots=True)
class Pace:
    """`symbols` of open exchanges at `per_minute` requests a minute; `closed` are the others."""

    symbols: int
    per_minute: float
    closed: int = 0

    @property
    def minutes_between(self) -> float:
        """Minutes from one confirmation of a symbol to the next; a poll runs once a minute."""
        return max(1.0, self.symbols / (self.per_minute * (1 - SHARE_OF_DAYS)))

    @property
    def days_between(self) -> float:
        """Minutes from one look at a symbol's daily bar to the next."""
        return max(DAYS_EVERY_MINUTES, self.symbols / (self.per_minute * SHARE_OF_DAYS))

    @property
    def due_ms(self) -> int:
        """After so long, and two polls more, a minute should have been confirmed."""
        return int((self.minutes_between + 2) * MINUTE_MS)

    def sentence(self) -> str:
        """For a person."""
        if not self.symbols:
            return "no tracked exchange is open"
        often = round(self.minutes_between)
        confirmed = "confirmed every minute" if often <= 1 else f"confirmed every {often} minutes"
        of = f" of {self.symbols + self.closed}, whose exchange is open" if self.closed else ""
        return f"1 symbol{of}: {confirmed}" if self.symbols == 1 else f"{self.symbols} symbols{of}: each {confirmed}"
