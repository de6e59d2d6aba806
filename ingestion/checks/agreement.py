"""What two sources say of the same thing, held against each other: when they disagree, and when a symbol is believed again. Pure.

    ticks   a minute that ticks made, and the provider's complete row of it
    polls   a minute as the provider gave it once, and as it gives it now
    day     a session's minutes together, and the provider's daily row
    split   prices around a young split, and what was printed before it (ingestion/checks/young_splits.py)

A symbol that disagrees is in quarantine until a newer session agrees, or the same one does after it was asked for again.
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import date

from ingestion.gaps.ledger import Range, holds

TICKS, POLLS, DAY, SPLIT = "ticks", "polls", "day", "split"

# Of the price, unless two of its last decimals or half of the minute's own range are more: feeds conflate ticks, so that a bar of
# ticks may miss the first, the last and the outermost of a minute.
TICK_TOLERANCE, TICK_UNITS, TICK_RANGE = 0.001, 2.0, 0.5
# A minute of fewer ticks may have missed any of its prices: it contradicts the provider only by one that lies outside.
FEW_TICKS = 10
# A settled minute should stay as it is; the same request seconds later may differ by a rounding.
POLL_TOLERANCE, POLL_UNITS = 0.0005, 1.0
# Daily rows have the auctions' official prices, which lie outside of the last minute's trades.
DAY_TOLERANCE = 0.005
# So many minutes, and such a share of those that can be compared, are more than corrections.
MOST_MINUTES, MOST_SHARE = 3, 0.05
# With fewer minutes nothing is said, neither for the symbol nor against it.
LEAST_COMPARED = 10


@dataclass(frozen=True, slots=True)
class Day:
    """Highest, lowest and last price of a session."""

    high: float
    low: float
    close: float


@dataclass(frozen=True, slots=True)
class Compared:
    """A session's minutes side by side: how many can be compared, the starts of those that differ beyond the tolerance."""

    ticks: int = 0
    polls: int = 0
    ticks_off: Sequence[int] = ()
    polls_off: Sequence[int] = ()
    minutes: Day | None = None
    provider: Day | None = None

    @property
    def disagreeing(self) -> int:
        """Minutes that count against the session's consistency."""
        return len({*self.ticks_off, *self.polls_off})


@dataclass(frozen=True, slots=True)
class Finding:
    """What a check says of a session."""

    check: str
    session_date: date
    compared: int
    disagreed: int
    agrees: bool
    detail: str


def findings(day: date, seen: Compared, outages: Iterable[Range], is_whole: bool) -> list[Finding]:
    """What the checks say of a session; a check with too little to compare says nothing.

    A minute of an outage was heard in part: that its ticks are not the whole of it is known and says nothing about the symbol.
    `is_whole`: no minute is missing that could have had the day's highest or last price.
    """
    known = list(outages)
    heard = [minute for minute in seen.ticks_off if not holds(known, minute)]
    found = [_of_minutes(TICKS, day, seen.ticks, len(heard), "ticks and the provider's minutes")]
    found.append(_of_minutes(POLLS, day, seen.polls, len(seen.polls_off), "two of the provider's answers"))
    if is_whole:
        found.append(of_day(day, seen))
    return [finding for finding in found if finding is not None]


def _of_minutes(check: str, day: date, compared: int, off: int, what: str) -> Finding | None:
    if compared < LEAST_COMPARED:
        return None
    agrees = off <= MOST_MINUTES or off <= MOST_SHARE * compared
    return Finding(check, day, compared, min(off, compared), agrees, f"{what} differ in {off} of {compared} minutes")


def of_day(day: date, seen: Compared) -> Finding | None:
    """The minutes together against the provider's own day."""
    ours, theirs = seen.minutes, seen.provider
    if ours is None or theirs is None:
        return None
    pairs = {"high": (ours.high, theirs.high), "low": (ours.low, theirs.low), "close": (ours.close, theirs.close)}
    off = [
        f"{name} {a:g} against {b:g}"
        for name, (a, b) in pairs.items()
        if abs(a - b) > DAY_TOLERANCE * abs(theirs.close)
    ]
    said = f"the minutes' {', '.join(off)} of the provider's day" if off else "minutes and day agree"
    return Finding(DAY, day, len(pairs), len(off), not off, said)


def newest(found: Iterable[Finding]) -> dict[str, Finding]:
    """By check, what the newest session says that says anything: it decides."""
    decisive: dict[str, Finding] = {}
    for finding in found:
        known = decisive.get(finding.check)
        if known is None or finding.session_date >= known.session_date:
            decisive[finding.check] = finding
    return decisive
