"""Why a minute has no bar. Timelines above the assertions: ■ a bar, · none; each sign is a minute from 14:30."""

import math
from collections.abc import Callable
from dataclasses import replace
from datetime import date
from typing import Any, ClassVar

import pytest

from ingestion.coverage import Covered, clipped, of_newest, of_window
from ingestion.holes import Hole, fill
from ingestion.instruments import Instrument
from ingestion.ledger import Evidence, Row, Span, Volume, closed_from, judge, reconcile
from ingestion.providers.base import Answer, Reach
from ingestion.providers.base import Row as ProviderRow
from ingestion.repair import Mender, Summary, windows
from market.calendars import Session, session_on
from market.contracts import Bar

pytestmark = pytest.mark.unit

At = Callable[[str], int]
MINUTE_MS = 60_000
DAY_MS = 86_400_000
MONDAY = date(2025, 11, 24)


@pytest.fixture
def session() -> Session:
    """New York: 14:30 to 21:00 UTC."""
    return session_on("XNYS", MONDAY)


def drawn(session: Session, line: str) -> list[int]:
    """The minutes with a bar in a drawing."""
    return [session.open_ms + position * MINUTE_MS for position, sign in enumerate(line) if sign == "■"]


def evidence(session: Session, line: str, **fields: Any) -> Evidence:
    """What is known when the last drawn minute is long past, and nothing else."""
    end_ms = session.open_ms + len(line) * MINUTE_MS
    known = Evidence(
        session=replace(session, close_ms=end_ms),
        present=drawn(session, line),
        covered=[],
        outages=[],
        throttles=[],
        volumes={},
        now_ms=end_ms + 3_600_000,
        due_ms=120_000,
        reach_ms=29 * DAY_MS,
    )
    return replace(known, **fields)


def told(session: Session, known: Evidence) -> list[tuple[int, int, str]]:
    """(first minute, minutes, reason) of what is missing."""
    return [((s.start_ms - session.open_ms) // MINUTE_MS, s.minutes, s.reason) for s in judge(known).spans]


def part(session: Session, first: int, last: int) -> tuple[int, int]:
    return session.open_ms + first * MINUTE_MS, session.open_ms + last * MINUTE_MS


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


def test_a_repair_asks_for_as_few_windows_as_the_provider_allows() -> None:
    day = DAY_MS
    spans = [Span(d * day, d * day + 3_600_000, "our_outage") for d in (1, 3, 9, 20)]
    hour = 3_600_000
    assert windows(spans, 0, 7 * day) == [
        (1 * day - hour, 3 * day + 2 * hour),
        (9 * day - hour, 9 * day + 2 * hour),
        (20 * day - hour, 20 * day + 2 * hour),
    ]
    # Nothing is asked for that the provider does not keep.
    assert windows(spans, 20 * day, 7 * day) == [(20 * day, 20 * day + 2 * hour)]


def row(ts_ms: int) -> ProviderRow:
    return ProviderRow(ts_ms, MONDAY, 1.0, 1.0, 1.0, 1.0, 1.0)


def test_an_answer_of_an_open_session_speaks_for_what_lies_before_its_newest_row(session: Session, at: At) -> None:
    asked_ms = at("2025-11-24T15:00:40")
    lagging = Answer(asked_ms, [row(at("2025-11-24T14:30")), row(at("2025-11-24T14:54"))])
    [piece] = of_newest(lagging, "XNYS")
    assert (piece.session_date, piece.start_ms, piece.end_ms) == (MONDAY, session.open_ms, at("2025-11-24T14:54"))
    # A newest row that is older than a provider ever lags: since then nobody has traded.
    [piece] = of_newest(Answer(asked_ms, [row(at("2025-11-24T14:30"))]), "XNYS")
    assert piece.end_ms == at("2025-11-24T14:50")


def test_an_answer_without_rows_speaks_for_nothing_but_what_is_a_day_old(at: At) -> None:
    asked_ms = at("2025-11-25T15:00:40")
    assert of_newest(Answer(asked_ms, []), "XNYS") == []
    assert of_window(Answer(asked_ms, []), "XNYS", at("2025-11-24T16:00"), at("2025-11-24T17:00")) == []
    [piece] = of_window(Answer(asked_ms, []), "XNYS", at("2025-11-21T16:00"), at("2025-11-21T17:00"))
    assert (piece.start_ms, piece.end_ms) == (at("2025-11-21T16:00"), at("2025-11-21T17:00"))


def test_an_answer_after_the_bell_speaks_for_the_whole_session(session: Session, at: At) -> None:
    for asked in ("2025-11-24T21:01", "2025-11-25T09:00"):
        [piece] = of_newest(Answer(at(asked), [row(at("2025-11-24T20:40"))]), "XNYS")
        assert (piece.start_ms, piece.end_ms) == (session.open_ms, session.close_ms)


def test_a_window_speaks_for_its_sessions_up_to_when_it_was_asked_for(at: At) -> None:
    asked_ms = at("2025-11-25T15:00:40")
    answer = Answer(asked_ms, [row(at("2025-11-25T14:59"))])
    pieces = of_window(answer, "XNYS", at("2025-11-21T16:00"), None)
    # Friday from 16:00, all of Monday, Tuesday up to the newest row.
    assert [(p.session_date.day, p.start_ms, p.end_ms) for p in pieces] == [
        (21, at("2025-11-21T16:00"), at("2025-11-21T21:00")),
        (24, at("2025-11-24T14:30"), at("2025-11-24T21:00")),
        (25, at("2025-11-25T14:30"), at("2025-11-25T14:59")),
    ]


class Minutes:
    """A provider that has every minute of New York's Monday up to the request."""

    title = "Minutes"
    reach: ClassVar = {"1m": Reach(29, 7)}

    def __init__(self, asked_ms: int) -> None:
        self.asked_ms = asked_ms

    def history(self, symbol: str, timeframe: str, start_ms: int, end_ms: int | None) -> Answer:
        until_ms = self.asked_ms if end_ms is None else end_ms
        return Answer(self.asked_ms, [row(ts_ms) for ts_ms in range(start_ms, until_ms, MINUTE_MS)])


class Sent:
    """The broker's side and the coverage table's, as lists."""

    def __init__(self) -> None:
        self.minutes: list[int] = []
        self.covered: list[tuple[int, int]] = []

    def send_all(self, records: list[Any], history: bool) -> int:
        self.minutes += [record.event_ms for record in records if isinstance(record, Bar)]
        return len(records)

    def flush(self, _limit_s: float) -> None:
        pass

    def run(self, statement: str, parameters: Any = ()) -> list[Any]:
        if "core.coverage" in statement:
            _, _, starts, ends, *_ = parameters
            self.covered += [
                (int(a.timestamp() * 1000), int(b.timestamp() * 1000)) for a, b in zip(starts, ends, strict=True)
            ]
        return []


def test_a_repair_speaks_for_what_it_sent_and_not_for_the_window_it_asked_for(apple: Instrument, at: At) -> None:
    # 10:11 to 10:24 New York time nobody listened; at 10:24:30 the minutes up to 10:20 are due, the last ones are not yet.
    #   10:11            10:21   10:24
    #   ··················  ·  ·  ■
    #   |----- span -----|
    #   |-- the answer: ----------|     its rows from 10:21 on are not sent
    span = Span(at("2025-11-24T15:11"), at("2025-11-24T15:21"), "our_outage", "we did not listen")
    asked_ms, sent, summary = at("2025-11-24T15:24:30"), Sent(), Summary()
    provider: Any = Minutes(asked_ms)
    mender = Mender(sent, provider, sent, "yahoo", math.inf, lambda: asked_ms, summary)  # type: ignore[arg-type]
    assert mender.mend([apple], {"AAPL": [span]}) is None
    assert (sent.minutes[0], sent.minutes[-1], summary.bars) == (span.start_ms, span.end_ms - MINUTE_MS, 10)
    assert sent.covered == [(span.start_ms, span.end_ms)]


def test_a_filled_hole_speaks_for_itself_alone(apple: Instrument, at: At) -> None:
    # Two holes; the second is not settled yet, and is filled later.
    hole = Hole(at("2025-11-24T15:11:20"), at("2025-11-24T15:20:40"))
    provider: Any = Minutes(at("2025-11-24T15:24:30"))
    records, covered = fill([hole], apple, provider, "yahoo")
    assert {bar.event_ms for bar in records.bars} == {*range(at("2025-11-24T15:11"), at("2025-11-24T15:21"), MINUTE_MS)}
    assert [(piece.start_ms, piece.end_ms) for piece in covered] == [(at("2025-11-24T15:11"), at("2025-11-24T15:21"))]


def test_an_answer_is_clipped_to_each_of_several_ranges(at: At) -> None:
    piece = Covered(MONDAY, at("2025-11-24T15:00"), at("2025-11-24T16:00"), at("2025-11-24T16:10"))
    ranges = [(at("2025-11-24T14:00"), at("2025-11-24T15:05")), (at("2025-11-24T15:50"), at("2025-11-24T17:00"))]
    found = [(p.start_ms, p.end_ms, p.fetched_ms) for p in clipped([piece], [*ranges, (0, at("2025-11-24T14:30"))])]
    assert found == [
        (piece.start_ms, ranges[0][1], piece.fetched_ms),
        (ranges[1][0], piece.end_ms, piece.fetched_ms),
    ]


def test_a_bar_that_only_ticks_made_is_asked_for_unless_the_provider_has_spoken_or_may_still(session: Session) -> None:
    # of ticks      □□      □□□□□□
    # covered       |-----|            the provider has no row of the first two
    # now                        ^     a minute is confirmed within two minutes and a half after its end
    line = "□□■■■■□□□□□□".replace("□", "■")
    unconfirmed = [part(session, n, n + 1)[0] for n in (0, 1, 6, 7, 8, 9, 10, 11)]
    now_ms = part(session, 0, 12)[1] + 20_000
    known = evidence(session, line, covered=[part(session, 0, 6)], unconfirmed=unconfirmed, now_ms=now_ms)
    verdict = judge(replace(known, session=session))
    assert (verdict.present, verdict.confirmed, verdict.spans) == (12, 4, [])
    assert [(s.start_ms, s.end_ms) for s in verdict.to_confirm] == [part(session, 6, 9)]
    assert not verdict.is_settled
    # It is no gap: the bar is there.
    assert told(session, known) == []


def test_a_session_is_asked_for_as_a_whole_once_more_when_corrections_had_their_time(session: Session) -> None:
    line = "■■■"
    whole = part(session, 0, 3)
    close_ms = whole[1]
    known = evidence(session, line, covered=[whole], looked_ms=close_ms + 60_000)

    def seen(hours: float, **fields: Any) -> tuple[list[tuple[int, int]], bool]:
        verdict = judge(replace(known, now_ms=close_ms + int(hours * 3_600_000), **fields))
        return [(s.start_ms, s.end_ms) for s in verdict.to_confirm], verdict.is_settled

    assert seen(2.9) == ([], False)
    # Half an hour is left to the polls of the evening.
    assert seen(3.4) == ([], False)
    assert seen(3.5) == ([whole], False)
    assert seen(3.1, looked_ms=close_ms + 3 * 3_600_000) == ([], True)
    # A weekend later as well, unless the provider keeps no minutes of it.
    assert seen(90) == ([whole], False)
    assert seen(24 * 40) == ([], True)


def test_only_an_answer_about_all_of_a_session_is_a_look_at_it(at: At) -> None:
    bell, asked_ms = at("2025-11-24T21:00"), at("2025-11-25T00:10")
    row = ProviderRow(at("2025-11-24T20:59"), MONDAY, 100.0, 100.0, 100.0, 100.0, 10.0)
    [whole] = of_window(Answer(asked_ms, [row]), "XNYS", at("2025-11-24T13:30"), None)
    [late] = of_window(Answer(asked_ms, [row]), "XNYS", at("2025-11-24T14:31"), None)
    [early] = of_newest(Answer(bell + 10_000, [row]), "XNYS")
    assert (whole.is_whole, late.is_whole, early.is_whole) == (True, False, False)
    # Of which only a part was sent on:
    assert [p.is_whole for p in clipped([whole], [(0, bell), (whole.start_ms, bell - MINUTE_MS)])] == [True, False]
