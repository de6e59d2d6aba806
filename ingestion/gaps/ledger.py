"""Why a minute has no bar, by evidence. Pure: the evidence comes from the database, the verdicts go back there."""

from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace

from market.calendars import Session
from market.contracts import PROVIDER_SETTLE_MS
from market.timeframes import MINUTE_MS

NO_TRADE = "no_trade"
PROVIDER_GAP = "provider_gap"
THROTTLED = "throttled"
OUR_OUTAGE = "our_outage"
UNCONFIRMED = "unconfirmed"
CLOSED = "closed"
REASONS = (NO_TRADE, PROVIDER_GAP, THROTTLED, OUR_OUTAGE, UNCONFIRMED, CLOSED)
# Nothing that we could ask for would change these.
SETTLED = frozenset((NO_TRADE, PROVIDER_GAP, CLOSED))

# A stretch without trades of this length is called a halt.
HALT_MINUTES = 5
# The feed's day volume and the provider's minutes are counted by different systems; within this share they agree.
VOLUME_TOLERANCE = 0.1
# An unscheduled close is believed when so many of a calendar's symbols stopped so long before the bell.
CLOSED_SYMBOLS = 3
CLOSED_MINUTES = 30

# Corrections come in the hours after the bell: so long after it a session is asked for once more, if nobody did.
LAST_LOOK_MS = 3 * 3_600_000
# The polls of the hours after the bell, each quarter of an hour, are left this time to do it.
LAST_LOOK_GRACE_MS = 1_800_000

# Behind the detail of what can be asked for no more.
OLDER = "older than the provider keeps minutes"

Range = tuple[int, int]


@dataclass(frozen=True, slots=True)
class Volume:
    """What a bar says of volume: the day's cumulative one at its first and last tick (-1 unknown), and its own by the provider."""

    first: int
    last: int
    own: float | None


@dataclass(frozen=True, slots=True)
class Evidence:
    """All that is known of a symbol's session. Times in milliseconds, ranges half-open; `present` are the starts of its minutes.

    `due_ms` is how long after its end a minute is confirmed in the normal course of things; before that nothing is missing.
    """

    session: Session
    present: Sequence[int]
    covered: Sequence[Range]
    outages: Sequence[Range]
    throttles: Sequence[Range]
    volumes: Mapping[int, Volume]
    now_ms: int
    due_ms: int
    reach_ms: int
    # The whole exchange had nothing from here on; None where it had.
    closed_from_ms: int | None = None
    # What the provider's daily row says of a session of which there is no minute; 0 where there is none, None without a volume.
    day_volume: float | None = 0.0
    # Minutes of which the provider gave a row that the contract refused.
    refused: Collection[int] = ()
    # Of `present`, those without the provider's complete row: what ticks made, or a row that was still in progress.
    unconfirmed: Sequence[int] = ()
    # When the provider was last asked for the session from open to close in one answer; 0 for never.
    looked_ms: int = 0


@dataclass(frozen=True, slots=True)
class Span:
    """Consecutive minutes that are missing for one reason."""

    start_ms: int
    end_ms: int
    reason: str
    detail: str = ""

    @property
    def minutes(self) -> int:
        return (self.end_ms - self.start_ms) // MINUTE_MS

    @property
    def is_repairable(self) -> bool:
        return self.reason not in SETTLED and not self.detail.endswith(OLDER)

    def holds(self, minute_ms: int) -> bool:
        return self.start_ms <= minute_ms < self.end_ms


@dataclass(frozen=True, slots=True)
class Row:
    """A row of the ledger as it stands in the database."""

    id: int
    start_ms: int
    end_ms: int
    reason: str
    detail: str
    state: str


@dataclass(slots=True)
class Verdict:
    """A session's account. `pending` minutes are not due yet; `confirmed` of those present have the provider's complete row.

    `to_confirm` is what is to be asked for although nothing is missing of it: bars of which the provider has not spoken, and
    once, some hours after the bell, the whole session (`is_looked`: it has been).
    """

    expected: int
    present: int
    pending: int
    spans: list[Span] = field(default_factory=list)
    is_over: bool = False
    confirmed: int = 0
    to_confirm: list[Span] = field(default_factory=list)
    is_looked: bool = False

    def count(self, reason: str) -> int:
        return sum(span.minutes for span in self.spans if span.reason == reason)

    @property
    def is_settled(self) -> bool:
        nothing_open = not self.pending and not any(span.is_repairable for span in self.spans)
        return self.is_over and nothing_open and not self.to_confirm and self.is_looked


def expected_minutes(session: Session, now_ms: int) -> list[int]:
    """The starts of the session's minutes that have ended, without the midday break."""
    until_ms = min(session.close_ms, now_ms // MINUTE_MS * MINUTE_MS)
    minutes = range(session.open_ms, until_ms - MINUTE_MS + 1, MINUTE_MS)
    if session.break_start_ms is None or session.break_end_ms is None:
        return list(minutes)
    return [minute for minute in minutes if not session.break_start_ms <= minute < session.break_end_ms]


def judge(evidence: Evidence) -> Verdict:
    """Every expected minute: a bar, or why there is none.

    bars      ■■■■··■■■■■···■■·····
    covered   |-------------|              (the provider was asked, and answered)
    outage                      |---|      (nobody listened)
    verdict       --     ---  -----
            no trade, or a hole of the provider where the day volume rose; then our outage, until the provider is asked
    """
    expected = expected_minutes(evidence.session, evidence.now_ms)
    there = set(evidence.present)
    missing = [minute for minute in expected if minute not in there]
    pending = [minute for minute in missing if is_pending(minute, evidence)]
    waiting = set(pending)
    reasons = [(minute, *reason_of(minute, evidence)) for minute in missing if minute not in waiting]
    spans = [with_volume(span, evidence) for span in runs(reasons)]
    is_over = evidence.now_ms >= evidence.session.close_ms
    present = len(expected) - len(missing)
    confirmed = present - len(set(expected).intersection(evidence.unconfirmed))
    asked = to_confirm(evidence)
    return Verdict(present + len(missing), present, len(pending), spans, is_over, confirmed, asked, is_looked(evidence))


def to_confirm(evidence: Evidence) -> list[Span]:
    """Bars of which the provider has not spoken though it should have; the whole session, where its last look is due.

    bars      ■■■■□□■■■■□□        (□ of ticks alone)
    covered   |---------|         (the provider has no row of the first two: it may have one at the last look)
    asked for           --
    """
    session = evidence.session
    if not is_looked(evidence) and evidence.now_ms >= session.close_ms + LAST_LOOK_MS + LAST_LOOK_GRACE_MS:
        return [Span(session.open_ms, session.close_ms, UNCONFIRMED, "the last look")]
    oldest_ms = evidence.now_ms - evidence.reach_ms
    due = [
        (minute, UNCONFIRMED, "of ticks alone")
        for minute in evidence.unconfirmed
        if minute >= oldest_ms and not holds(evidence.covered, minute) and not is_pending(minute, evidence)
    ]
    return runs(due)


def is_looked(evidence: Evidence) -> bool:
    """Whether the session was asked for after corrections had their time, or cannot be any more."""
    session = evidence.session
    is_too_old = session.open_ms < evidence.now_ms - evidence.reach_ms
    return is_too_old or evidence.looked_ms >= session.close_ms + LAST_LOOK_MS


def is_pending(minute: int, evidence: Evidence) -> bool:
    """Whether the minute may still come by itself."""
    if holds(evidence.covered, minute):
        return False
    return evidence.now_ms < minute + MINUTE_MS + PROVIDER_SETTLE_MS + evidence.due_ms


def reason_of(minute: int, evidence: Evidence) -> tuple[str, str]:
    """(reason, detail) of a missing minute, but for what its neighbours' volume says."""
    if evidence.closed_from_ms is not None and minute >= evidence.closed_from_ms:
        return CLOSED, "the provider has nothing of any symbol of this exchange from then on"
    if minute in evidence.refused:
        return PROVIDER_GAP, "the provider's row was refused: it is a dead letter"
    if holds(evidence.covered, minute):
        if evidence.day_volume != 0.0 and not evidence.present:
            traded = "" if evidence.day_volume is None else f" with a volume of {evidence.day_volume:.0f}"
            return PROVIDER_GAP, f"the provider has a day of it{traded}, and no minute"
        return NO_TRADE, ""
    older = f"; {OLDER}" if minute < evidence.now_ms - evidence.reach_ms else ""
    if holds(evidence.outages, minute):
        return OUR_OUTAGE, f"we did not listen{older}"
    if any(end_ms > minute + MINUTE_MS for _, end_ms in evidence.throttles):
        return THROTTLED, f"the provider would not answer{older}"
    return UNCONFIRMED, f"the provider has not spoken for it yet{older}"


def runs(reasons: Iterable[tuple[int, str, str]]) -> list[Span]:
    """Minutes with the same reason behind each other as one span."""
    spans: list[Span] = []
    for minute, reason, detail in reasons:
        last = spans[-1] if spans else None
        if last is not None and (last.end_ms, last.reason, last.detail) == (minute, reason, detail):
            spans[-1] = replace(last, end_ms=minute + MINUTE_MS)
        else:
            spans.append(Span(minute, minute + MINUTE_MS, reason, detail))
    return spans


def with_volume(span: Span, evidence: Evidence) -> Span:
    """A stretch that the provider covered: did the day's volume rise over it? Then the provider has a hole, else nobody traded."""
    if span.reason != NO_TRADE:
        return span
    halt = f"; {span.minutes} minutes, a halt" if span.minutes >= HALT_MINUTES else ""
    before = max((minute for minute in evidence.volumes if minute < span.start_ms), default=None)
    after = min((minute for minute in evidence.volumes if minute >= span.end_ms), default=None)
    if before is None or after is None:
        return replace(span, detail=f"the provider has no such minute{halt}")
    earlier, later = evidence.volumes[before], evidence.volumes[after]
    if earlier.last < 0 or later.last < 0 or later.own is None:
        return replace(span, detail=f"the provider has no such minute{halt}")
    risen = later.last - earlier.last
    if risen < 0:
        return replace(span, detail=f"the provider has no such minute, and the day volume was set back{halt}")
    unheard = unheard_of(before, earlier, evidence)
    if unheard is None:
        return replace(span, detail=f"the provider has no such minute, nor have we heard all before it{halt}")
    excess = risen - later.own - unheard
    if excess > VOLUME_TOLERANCE * (later.own + (earlier.own or 0.0)):
        return replace(
            span, reason=PROVIDER_GAP, detail=f"the day volume rose by {excess:.0f} while the provider has no bar"
        )
    return replace(span, detail=f"the day volume was flat{halt}")


def unheard_of(minute: int, volume: Volume, evidence: Evidence) -> float | None:
    """What may have been traded in a minute with a bar behind the last tick that we heard of it; None where nobody knows.

    Feeds conflate, and an outage may begin in the middle of it: the day volume rises by the rest later, and no gap is the reason.
    """
    if volume.own is not None:
        return max(0.0, volume.own - (volume.last - max(volume.first, 0)))
    return None if holds(evidence.outages, minute) else 0.0


def closed_from(
    session: Session, last_minutes: Mapping[str, int | None], covered: Mapping[str, Sequence[Range]]
) -> int | None:
    """From when on an exchange had nothing at all, by the last minute of each of its symbols that are followed.

    None where it traded as the calendar says, or where the provider has not covered them all to the bell, or where too few are
    followed to tell an early close from a quiet hour.
    """
    bell = session.close_ms - MINUTE_MS
    if not last_minutes or not all(holds(covered.get(symbol, ()), bell) for symbol in last_minutes):
        return None
    lasts = [minute for minute in last_minutes.values() if minute is not None]
    if not lasts:
        return session.open_ms
    quiet_minutes = (session.close_ms - max(lasts)) // MINUTE_MS - 1
    if len(lasts) >= CLOSED_SYMBOLS and quiet_minutes >= CLOSED_MINUTES:
        return max(lasts) + MINUTE_MS
    return None


def reconcile(
    rows: Sequence[Row], spans: Sequence[Span], present: Iterable[int]
) -> tuple[list[Row], list[Span], list[Span]]:
    """(rows that are no more, spans that are new, what of the former was repaired: minutes that have a bar by now)."""
    as_told = {(span.start_ms, span.end_ms, span.reason, span.detail) for span in spans}
    kept = {(row.start_ms, row.end_ms, row.reason, row.detail) for row in rows} & as_told
    gone = [row for row in rows if (row.start_ms, row.end_ms, row.reason, row.detail) not in kept]
    new = [span for span in spans if (span.start_ms, span.end_ms, span.reason, span.detail) not in kept]
    there = set(present)
    filled = [
        (minute, row.reason, "bars came later")
        for row in gone
        for minute in range(row.start_ms, row.end_ms, MINUTE_MS)
        if minute in there
    ]
    return gone, new, runs(sorted(filled))


def holds(ranges: Iterable[Range], minute: int) -> bool:
    return any(start_ms <= minute < end_ms for start_ms, end_ms in ranges)
