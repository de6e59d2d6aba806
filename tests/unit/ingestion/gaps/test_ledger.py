"""Why a minute has no bar. Timelines above the assertions: ■ a bar, · none; each sign is a minute from 14:30."""

from collections.abc import Callable
from datetime import date

import pytest

from ingestion.gaps.ledger import Evidence, Row, Span, Volume, closed_from, judge, reconcile
from market.calendars import Session, session_on
from tests.unit.ingestion.gaps.drawings import drawn, evidence, part, told

pytestmark = pytest.mark.unit

At = Callable[[str], int]
MINUTE_MS = 60_000
DAY_MS = 86_400_000
MONDAY = date(2025, 11, 24)


@pytest.fixture
def session() -> Session:
    """New York: 14:30 to 21:00 UTC."""
    return session_on("XNYS", MONDAY)


def test_every_expected_minute_has_a_bar_or_a_reason(session: Session) -> None:
    # covered       |---------|
    # outage                    |---|
    line = "■■■··■■■■■■■■··■··■"
    known = evidence(session, line, covered=[part(session, 0, 11)], outages=[part(session, 12, 16)])
    assert told(session, known) == [(3, 2, "no_trade"), (13, 2, "our_outage"), (16, 2, "unconfirmed")]
    verdict = judge(known)
    assert verdict.expected == verdict.present + verdict.pending + sum(span.minutes for span in verdict.spans) == 19
    assert not verdict.is_settled


@pytest.mark.parametrize(
    ("later", "reason", "words"),
    [
        # 900 shares by the day volume up to the gap, then a bar of 100.
        (Volume(950, 1000, 100.0), "no_trade", "the day volume was flat; 6 minutes, a halt"),
        (Volume(1400, 1500, 100.0), "provider_gap", "the day volume rose by 500"),
        # The two count by different systems: a few per cent are no trade.
        (Volume(950, 1009, 100.0), "no_trade", "flat"),
        (Volume(-1, -1, 100.0), "no_trade", "the provider has no such minute"),
        (Volume(10, 20, 100.0), "no_trade", "set back"),
    ],
)
def test_a_stretch_that_the_provider_covered_is_judged_by_the_days_volume(
    session: Session, later: Volume, reason: str, words: str
) -> None:
    line = "■■······■■"
    volumes = {drawn(session, line)[1]: Volume(850, 900, 50.0), drawn(session, line)[2]: later}
    [span] = judge(evidence(session, line, covered=[part(session, 0, 10)], volumes=volumes)).spans
    assert (span.reason, words in span.detail) == (reason, True), span.detail


@pytest.mark.parametrize(
    ("earlier", "later", "outages", "reason", "words"),
    [
        # 50 of the minute's 400 shares were heard; the day volume has the other 350 with the next tick.
        (Volume(850, 900, 400.0), Volume(1300, 1350, 100.0), (), "no_trade", "the day volume was flat"),
        (Volume(850, 900, 400.0), Volume(1300, 1350, 100.0), (1, 3), "no_trade", "the day volume was flat"),
        (Volume(850, 900, 400.0), Volume(1900, 1950, 100.0), (1, 3), "provider_gap", "the day volume rose by 600"),
        # The provider has no row of the minute before, so that its volume is not known.
        (Volume(850, 900, None), Volume(1300, 1350, 100.0), (1, 3), "no_trade", "nor have we heard all before it"),
        (Volume(850, 900, None), Volume(1300, 1350, 100.0), (), "provider_gap", "the day volume rose by 350"),
    ],
)
def test_what_was_not_heard_of_the_minute_before_is_no_gap_of_the_provider(
    session: Session, earlier: Volume, later: Volume, outages: tuple[int, ...], reason: str, words: str
) -> None:
    # outage    |---|     (or none: the feed told the rest of the minute later)
    line = "■■··■■"
    volumes = {drawn(session, line)[1]: earlier, drawn(session, line)[2]: later}
    lost = [part(session, *outages)] if outages else []
    known = evidence(session, line, covered=[part(session, 0, 6)], outages=lost, volumes=volumes)
    [span] = judge(known).spans
    assert (span.reason, words in span.detail) == (reason, True), span.detail


def test_a_refusing_provider_is_the_reason_for_what_it_was_not_asked_about(session: Session) -> None:
    line = "■■··■■■■"
    throttles = [part(session, 3, 30)]
    assert told(session, evidence(session, line, throttles=throttles)) == [(2, 2, "throttled")]
    assert told(session, evidence(session, line, throttles=throttles, covered=[part(session, 0, 8)])) == [
        (2, 2, "no_trade")
    ]


def test_a_row_that_was_refused_is_no_minute_without_trade(session: Session) -> None:
    line = "■■··■■"
    refused = {session.open_ms + 2 * MINUTE_MS}
    known = evidence(session, line, covered=[part(session, 0, 6)], refused=refused)
    assert told(session, known) == [(2, 1, "provider_gap"), (3, 1, "no_trade")]


def test_a_day_of_which_there_is_a_daily_row_and_no_minute_was_no_day_without_trade(session: Session) -> None:
    covered = [part(session, 0, 4)]
    for volume in (5_000.0, None):  # None: an index, which has no volume
        assert told(session, evidence(session, "····", covered=covered, day_volume=volume)) == [(0, 4, "provider_gap")]
    assert told(session, evidence(session, "····", covered=covered)) == [(0, 4, "no_trade")]
    # Where there is any minute, the auctions may have made the rest of the volume.
    assert told(session, evidence(session, "■···", covered=covered, day_volume=5_000.0)) == [(1, 3, "no_trade")]


def test_what_is_not_due_yet_is_not_missing(session: Session) -> None:
    now_ms = session.open_ms + 6 * MINUTE_MS + 10_000
    line = "■■····"
    verdict = judge(evidence(session, line, now_ms=now_ms))
    # 14:32 ended at 14:33 and is confirmed within two minutes and a half: by 14:35:30.
    assert [(span.start_ms - session.open_ms) // MINUTE_MS for span in verdict.spans] == [2]
    assert (verdict.expected, verdict.present, verdict.pending) == (6, 2, 3)


def test_what_is_older_than_the_provider_keeps_is_accepted(session: Session) -> None:
    known = evidence(session, "■·■", outages=[part(session, 0, 3)], now_ms=session.open_ms + 40 * DAY_MS)
    [span] = judge(known).spans
    assert (span.reason, span.is_repairable) == ("our_outage", False)
    assert judge(known).is_settled


@pytest.mark.slow
def test_a_midday_break_is_not_expected() -> None:
    tokyo = session_on("XTKS", date(2025, 11, 25))
    assert tokyo.break_start_ms is not None
    known = Evidence(tokyo, [], [(tokyo.open_ms, tokyo.close_ms)], [], [], {}, tokyo.close_ms + DAY_MS, 0, 29 * DAY_MS)
    verdict = judge(known)
    break_minutes = (tokyo.break_end_ms - tokyo.break_start_ms) // MINUTE_MS  # type: ignore[operator]
    assert verdict.expected == (tokyo.close_ms - tokyo.open_ms) // MINUTE_MS - break_minutes
    assert len(verdict.spans) == 2


def test_an_exchange_that_closed_early_is_told_from_a_quiet_symbol(session: Session) -> None:
    whole = [(session.open_ms, session.close_ms)]
    noon = session.open_ms + 150 * MINUTE_MS
    lasts: dict[str, int | None] = {"A": noon, "B": noon - 5 * MINUTE_MS, "C": noon - MINUTE_MS}
    covered = dict.fromkeys("ABC", whole)
    assert closed_from(session, lasts, covered) == noon + MINUTE_MS
    # One that traded on, one that nobody asked about, or too few to tell.
    assert closed_from(session, {**lasts, "C": session.close_ms - MINUTE_MS}, covered) is None
    assert closed_from(session, lasts, {**covered, "C": []}) is None
    assert closed_from(session, {"A": noon}, {"A": whole}) is None
    # Nothing of anyone all day: a holiday that the calendar does not know.
    assert closed_from(session, {"A": None}, {"A": whole}) == session.open_ms
    known = evidence(session, "■■···", closed_from_ms=session.open_ms + 3 * MINUTE_MS)
    assert told(session, known)[-1] == (3, 2, "closed")


def test_what_came_later_is_repaired_and_what_changed_is_told_anew(session: Session) -> None:
    # rows       ----        (our outage)
    # bars now   ■··■■
    start = session.open_ms
    row = Row(7, start, start + 5 * MINUTE_MS, "our_outage", "we did not listen", "open")
    spans = [Span(start + MINUTE_MS, start + 3 * MINUTE_MS, "no_trade", "the day volume was flat")]
    gone, new, repaired = reconcile([row], spans, drawn(session, "■··■■"))
    assert (gone, new) == ([row], spans)
    assert [(s.start_ms - start, s.minutes, s.reason) for s in repaired] == [
        (0, 1, "our_outage"),
        (3 * MINUTE_MS, 2, "our_outage"),
    ]
    told_before = Row(8, spans[0].start_ms, spans[0].end_ms, spans[0].reason, spans[0].detail, "accepted")
    assert reconcile([told_before], spans, drawn(session, "■··■■")) == ([], [], [])
