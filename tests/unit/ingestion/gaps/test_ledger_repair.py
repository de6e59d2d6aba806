"""What an answer of the provider speaks for, and what a repair asks it for."""

import math
from collections.abc import Callable
from dataclasses import replace
from datetime import date
from typing import Any, ClassVar

import pytest

from ingestion.gaps.coverage import Covered, clipped, of_newest, of_window
from ingestion.gaps.ledger import Span, judge
from ingestion.gaps.repair import Mender, Summary, windows
from ingestion.live.holes import Hole, fill
from ingestion.providers.base import Answer, Reach
from ingestion.providers.base import Row as ProviderRow
from ingestion.records.instruments import Instrument
from market.calendars import Session, session_on
from market.contracts import Bar
from tests.unit.ingestion.gaps.drawings import evidence, part, told

pytestmark = pytest.mark.unit

At = Callable[[str], int]
MINUTE_MS = 60_000
DAY_MS = 86_400_000
MONDAY = date(2025, 11, 24)


@pytest.fixture
def session() -> Session:
    """New York: 14:30 to 21:00 UTC."""
    return session_on("XNYS", MONDAY)


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
    asked_ms = at("2025-11-24T15:10:40")
    lagging = Answer(asked_ms, [row(at("2025-11-24T14:30")), row(at("2025-11-24T14:54"))])
    [piece] = of_newest(lagging, "XNYS")
    assert (piece.session_date, piece.start_ms, piece.end_ms) == (MONDAY, session.open_ms, at("2025-11-24T14:54"))
    # A newest row that is older than a provider ever lags: since then nobody has traded.
    [piece] = of_newest(Answer(asked_ms, [row(at("2025-11-24T14:30"))]), "XNYS")
    assert piece.end_ms == at("2025-11-24T14:40")


def test_an_answer_without_rows_speaks_for_nothing_but_what_is_a_day_old(at: At) -> None:
    asked_ms = at("2025-11-25T15:00:40")
    assert of_newest(Answer(asked_ms, []), "XNYS") == []


@pytest.mark.parametrize("when_ms", [1_764_000_000_000_000_000, 4_000_000_020_000, -(2**62)])
def test_a_row_of_no_possible_time_speaks_for_nothing(at: At, when_ms: int) -> None:
    asked_ms = at("2025-11-24T14:45")
    lagging = [row(at("2025-11-24T14:30")), row(at("2025-11-24T14:31"))]
    nonsense = replace(lagging[0], ts_ms=when_ms)
    expected = of_newest(Answer(asked_ms, lagging), "XNYS")
    assert of_newest(Answer(asked_ms, [*lagging, nonsense]), "XNYS") == expected
    assert of_window(Answer(asked_ms, []), "XNYS", at("2025-11-24T16:00"), at("2025-11-24T17:00")) == []
    [piece] = of_window(Answer(asked_ms, []), "XNYS", at("2025-11-21T16:00"), at("2025-11-21T17:00"))
    assert (piece.start_ms, piece.end_ms) == (at("2025-11-21T16:00"), at("2025-11-21T17:00"))


@pytest.mark.parametrize(
    ("asked", "newest", "through"),
    [
        ("24T21:01", "24T20:59", "24T21:00"),
        # London's and Tokyo's last quarter of an hour comes after the bell; a quiet symbol has none.
        ("24T21:01", "24T20:40", "24T20:40"),
        ("24T21:20", "24T20:40", "24T20:50"),
        ("24T21:31", "24T20:40", "24T21:00"),
        ("25T09:00", "24T20:40", "24T21:00"),
    ],
)
def test_an_answer_after_the_bell_speaks_for_the_whole_session_once_no_provider_lags_any_more(
    session: Session, at: At, asked: str, newest: str, through: str
) -> None:
    [piece] = of_newest(Answer(at(f"2025-11-{asked}"), [row(at(f"2025-11-{newest}"))]), "XNYS")
    assert (piece.start_ms, piece.end_ms) == (session.open_ms, at(f"2025-11-{through}"))
    assert piece.is_whole is (through == "24T21:00")


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
    records, covered = fill(Sent(), [hole], apple, provider, "yahoo")  # type: ignore[arg-type]
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
