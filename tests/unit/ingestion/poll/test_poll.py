"""What a poll sends, given what is stored."""

from collections.abc import Callable, Sequence
from datetime import date
from typing import Any

import pytest

from ingestion.poll.once import Look, Summary, is_long_open, new_actions, news, status_line
from ingestion.poll.pace import Pace
from ingestion.poll.plan import Work
from ingestion.providers.base import Answer, Row
from ingestion.records.instruments import Instrument
from market.contracts import Action, Bar

pytestmark = pytest.mark.unit

At = Callable[[str], int]


def bar(ts_ms: int, close: float = 100.5, is_complete: bool = True) -> Bar:
    return Bar(
        source="yahoo",
        event_ms=ts_ms,
        fetched_ms=ts_ms + 120_000,
        symbol="AAPL",
        timeframe="1m",
        open=100.0,
        high=101.0,
        low=99.0,
        close=close,
        volume=10.0,
        session_date="2025-11-24",
        is_complete=is_complete,
    )


def test_only_what_differs_from_the_final_bars_is_news() -> None:
    stored = {0: (100.0, 101.0, 99.0, 100.5, 10.0), 60_000: (100.0, 101.0, 99.0, 100.4, 10.0)}
    same, corrected, missing = bar(0), bar(60_000), bar(120_000)
    assert news([same, corrected, missing], stored) == [corrected, missing]


@pytest.mark.slow
def test_a_split_that_is_stored_is_no_news_wherever_the_exchange_is(at: At) -> None:
    # Sydney opens at 23:00 UTC of the day before in summer.
    split = Action(
        source="yahoo", event_ms=at("2025-11-23T23:00"), fetched_ms=1, symbol="BHP.AX", action="split", value=2.0
    )
    assert new_actions([split], "XASX", {(date(2025, 11, 24), "split"): 2.0}) == []
    assert new_actions([split], "XASX", {(date(2025, 11, 24), "split"): 3.0}) == [split]
    assert new_actions([split], "XASX", {}) == [split]


class Parts:
    """Provider, broker and database of one poll: an answer, what was sent, what was written."""

    title = "Parts"

    def __init__(self, answer: Answer, closes: dict[date, float], traded: Sequence[int] = ()) -> None:
        self.answer = answer
        self.closes = closes
        self.traded = traded
        self.sent: list[Any] = []
        self.written: list[tuple[str, Any]] = []

    def newest(self, _symbol: str, _timeframe: str) -> Answer:
        return self.answer

    def history(self, _symbol: str, _timeframe: str, start_ms: int, end_ms: int | None) -> Answer:
        rows = [row for row in self.answer.rows if start_ms <= row.ts_ms < (end_ms or self.answer.asked_ms)]
        return Answer(self.answer.asked_ms, rows)

    def send_all(self, records: list[Any]) -> int:
        self.sent += records
        return len(records)

    def run(self, statement: str, parameters: Any = ()) -> list[Any]:
        self.written.append((statement, parameters))
        if statement.startswith("SELECT session_date, close"):
            return list(self.closes.items())
        if "volume IS DISTINCT FROM 0" in statement:
            return [(minute,) for minute in self.traded]
        return [(True,)] if "INTO core.quarantine" in statement else []

    def covered(self) -> list[tuple[Any, ...]]:
        """(session, from, to, whether all of it) that the provider has spoken for."""
        return [
            (day, f"{start:%d %H:%M}", f"{end:%d %H:%M}", is_whole)
            for statement, parameters in self.written
            if "INTO core.coverage" in statement
            for day, start, end, _, is_whole in zip(*parameters[1:], strict=True)
        ]

    def days(self) -> list[Any]:
        """The sessions whose own row of the provider was kept for the ledger's comparison."""
        return [day for statement, parameters in self.written if "provider_days" in statement for day in parameters[1]]


@pytest.mark.parametrize(("friday", "believed"), [(499.23, True), (1996.92, False)])
def test_a_poll_keeps_the_days_it_believes_and_sends_no_row_from_before_a_split_that_it_does_not(
    apple: Instrument, at: At, friday: float, believed: bool
) -> None:
    # The split is of Monday; what was printed on Friday is 499.23, and the provider's row is adjusted for it or not yet.
    rows = [
        Row(at(f"{day}T13:30"), date.fromisoformat(day), *[close] * 4, 1_000.0)
        for day, close in (("2020-08-28", friday / 4), ("2020-08-31", 129.04))
    ]
    answer = Answer(at("2020-08-31T22:00"), rows, [(date(2020, 8, 31), 4.0)])
    parts: Any = Parts(answer, {date(2020, 8, 28): 499.23})
    summary = Summary()
    look = Look(parts, parts, parts, "yahoo", summary, lambda: answer.asked_ms)
    look.at(Work("1d", apple))
    look.write_down()
    closes = [record.close for record in parts.sent if isinstance(record, Bar)]
    assert closes == ([499.23, 129.04] if believed else [129.04])
    assert parts.days() == (["2020-08-28", "2020-08-31"] if believed else ["2020-08-31"])
    assert summary.failed == ([] if believed else ["AAPL 1d"])


def test_a_poll_after_an_outage_over_the_bell_confirms_the_session_before_and_this_one(
    apple: Instrument, at: At
) -> None:
    # Friday's last minute, then Monday's first ones; the last poll was in Friday's session.
    stamps = ("2025-11-21T20:59", "2025-11-24T14:30", "2025-11-24T14:31")
    rows = [Row(at(stamp), date.fromisoformat(stamp[:10]), *[100.0] * 4, 10.0) for stamp in stamps]
    answer = Answer(at("2025-11-24T14:32:33"), rows)
    parts: Any = Parts(answer, {})
    look = Look(parts, parts, parts, "yahoo", Summary(), lambda: answer.asked_ms)
    look.at(Work("1m", apple, at("2025-11-21T14:30")))
    look.write_down()
    assert [(bar.event_ms, bar.is_complete) for bar in parts.sent] == [
        (at(stamps[0]), True),
        (at(stamps[1]), True),
        (at(stamps[2]), False),
    ]
    assert parts.covered() == [
        (date(2025, 11, 21), "21 14:30", "21 21:00", True),
        (date(2025, 11, 24), "24 14:30", "24 14:31", False),
    ]


def test_a_poll_takes_no_word_about_a_session_whose_rows_the_provider_has_lost(apple: Instrument, at: At) -> None:
    # Of Friday, which ticks have told of, the answer has one row; of Monday all that there can be.
    stamps = ("2025-11-21T20:59", "2025-11-24T14:30", "2025-11-24T14:31")
    rows = [Row(at(stamp), date.fromisoformat(stamp[:10]), *[100.0] * 4, 10.0) for stamp in stamps]
    answer = Answer(at("2025-11-24T14:32:33"), rows)
    parts: Any = Parts(answer, {}, [at("2025-11-21T15:00") + k * 60_000 for k in range(120)])
    summary = Summary()
    look = Look(parts, parts, parts, "yahoo", summary, lambda: answer.asked_ms)
    look.at(Work("1m", apple, at("2025-11-21T14:30")))
    look.write_down()
    assert [bar.event_ms for bar in parts.sent] == [at(stamp) for stamp in stamps]
    assert parts.covered() == [(date(2025, 11, 24), "24 14:30", "24 14:31", False)]
    assert summary.failed == ["AAPL 1m"]


@pytest.mark.parametrize(
    ("now", "expected"),
    [
        ("2025-11-24T14:55", False),  # New York opened at 14:30; a provider may lag
        ("2025-11-24T15:05", True),
        ("2025-11-24T21:30", False),  # closed since 21:00
        ("2025-11-23T15:00", False),  # a Sunday
    ],
)
def test_an_answer_without_rows_means_something_only_while_an_exchange_is_long_open(
    apple: Instrument, at: At, now: str, expected: bool
) -> None:
    assert is_long_open(apple, at(now)) is expected


def test_what_a_poll_had_no_good_answer_about_is_in_its_status() -> None:
    summary = Summary(symbols=2, requests=4, failed=["MSFT 1m", "GONE 1m"], delisted=["GONE"])
    state, detail = status_line(summary, "Yahoo", Pace(2, 1.0), None)
    assert state == "ok"
    assert detail.endswith("; no good answer about MSFT 1m; possibly delisted: GONE")
