"""Corporate actions that are published anew, and prices around a split that are not to be believed."""

from datetime import date

import pytest

from ingestion import actions
from ingestion.actions import withdrawn
from ingestion.checks.young_splits import disagreements
from ingestion.providers.base import Answer, Row
from ingestion.records.instruments import Instrument
from market.calendars import session_of
from market.contracts import Action, Bar, Record, decode

pytestmark = pytest.mark.unit

FRIDAY, MONDAY = date(2020, 8, 28), date(2020, 8, 31)


def day(session_date: date, close: float) -> Bar:
    return Bar(
        source="yahoo",
        event_ms=0,
        fetched_ms=1,
        symbol="AAPL",
        timeframe="1d",
        **dict.fromkeys(("open", "high", "low", "close"), close),
        session_date=session_date.isoformat(),
        is_complete=True,
    )


@pytest.mark.parametrize(
    ("un_adjusted_close", "is_wrong"),
    [
        (499.23, False),
        # The split is announced, the history before it not adjusted yet: un-doing it makes four times too much.
        (1996.92, True),
        # Adjusted twice.
        (124.81, True),
    ],
)
def test_prices_before_a_split_are_checked_against_what_was_printed(un_adjusted_close: float, is_wrong: bool) -> None:
    bars = [day(FRIDAY, un_adjusted_close), day(MONDAY, 129.04)]
    printed = {FRIDAY: 499.23}
    assert disagreements(bars, printed, [(MONDAY, 4.0)]) == ([(MONDAY, 4.0)] if is_wrong else [])
    # Nothing to compare with: nothing to say.
    assert disagreements(bars[:1], {}, [(MONDAY, 4.0)]) == []


def row(day: date) -> Row:
    return Row(0, day, *[1.0] * 5)


def test_what_an_answer_covers_and_does_not_have_is_missing() -> None:
    stored = {(MONDAY, "split"): 4.0, (FRIDAY, "dividend"): 0.2, (date(2014, 6, 9), "split"): 7.0}
    rows = [row(FRIDAY), row(MONDAY)]
    assert withdrawn(stored, Answer(0, rows, [(MONDAY, 4.0)]), "XNYS") == {(FRIDAY, "dividend"): 0.2}
    # Of days that it does not reach an answer says nothing, and one without rows nothing at all.
    assert withdrawn(stored, Answer(0, rows[1:], [(MONDAY, 4.0)]), "XNYS") == {}
    assert withdrawn(stored, Answer(0, [], []), "XNYS") == {}


def test_an_action_on_a_day_that_the_calendar_takes_for_a_holiday_is_not_missing() -> None:
    saturday = date(2020, 8, 29)
    answer = Answer(0, [row(FRIDAY), row(saturday), row(MONDAY)], [], [(saturday, 0.2)])
    assert withdrawn({(saturday, "dividend"): 0.2}, answer, "XNYS") == {}


class Platform:
    """What a run asks for and what it sends: the tables' and the provider's answers in turn, and the broker's records."""

    def __init__(
        self, monkeypatch: pytest.MonkeyPatch, stored: dict[tuple[date, str], float], *answers: Answer
    ) -> None:
        self.sent: list[Record] = []
        self.ranges: list[int] = []
        self.answers = iter(answers)
        apple = Instrument("AAPL", "Apple Inc.", "EQUITY", "NMS", "XNYS", "America/New_York", "USD", 2, True)
        monkeypatch.setattr(actions, "instruments", lambda *_: ([apple], [], None))
        monkeypatch.setattr(actions.tables, "stored_actions", lambda *_: stored)
        monkeypatch.setattr(actions.tables, "set_status", lambda *_: None)
        monkeypatch.setattr(actions, "keep_believed", lambda *_: (frozenset(), ""))

    def history(self, symbol: str, timeframe: str, start_ms: int, end_ms: None) -> Answer:
        self.ranges.append(start_ms)
        return next(self.answers)

    def send_all(self, records: list[Record], history: bool) -> int:
        self.sent += records
        return len(records)

    def flush(self, timeout_s: float) -> None: ...

    def run(self) -> actions.Summary:
        summary, stopped = actions.run(None, self, self, "yahoo", None, 120, lambda: NOW_MS)  # type: ignore[arg-type]
        assert stopped is None
        return summary


NOW_MS = 1_600_000_000_000
STORED = {(MONDAY, "split"): 4.0}
WITH, WITHOUT = Answer(NOW_MS, [row(FRIDAY), row(MONDAY)], [(MONDAY, 4.0)]), Answer(NOW_MS, [row(FRIDAY), row(MONDAY)])


def test_what_two_answers_do_not_have_is_withdrawn(monkeypatch: pytest.MonkeyPatch) -> None:
    platform = Platform(monkeypatch, STORED, WITHOUT, WITHOUT)
    assert platform.run().withdrawn == ["AAPL split of 2020-08-31"]
    assert len(set(platform.ranges)) == 2, "the second question is another one"
    [word] = [record for record in platform.sent if isinstance(record, Action)]
    assert (word.is_withdrawn, word.action, word.value, word.fetched_ms) == (True, "split", 4.0, NOW_MS)
    assert session_of("XNYS", word.event_ms).session_date == MONDAY
    assert decode(word.encode()) == word


def test_what_the_second_answer_has_is_believed(monkeypatch: pytest.MonkeyPatch) -> None:
    platform = Platform(monkeypatch, STORED, WITHOUT, WITH)
    assert platform.run().withdrawn == []
    assert not [record for record in platform.sent if isinstance(record, Action)]


def test_what_is_there_is_asked_for_once_and_what_moved_is_published_at_once(monkeypatch: pytest.MonkeyPatch) -> None:
    assert Platform(monkeypatch, STORED, WITH).run().requests == 1
    platform = Platform(monkeypatch, {(FRIDAY, "split"): 4.0}, WITH, WITH)
    platform.run()
    words = [record for record in platform.sent if isinstance(record, Action)]
    days = [(session_of("XNYS", word.event_ms).session_date, word.is_withdrawn) for word in words]
    assert days == [(MONDAY, None), (FRIDAY, True)]
