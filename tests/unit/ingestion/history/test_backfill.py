"""In which order a backfill sends what it fetched."""

import time
import tracemalloc
from collections.abc import Callable
from dataclasses import replace
from datetime import UTC, date, datetime
from typing import Any, ClassVar

import pytest

from ingestion import tables
from ingestion.errors import BadConfiguration, BrokerAway, Malformed, Throttled, Unavailable, UnknownSymbol
from ingestion.gaps import tables as ledger_tables
from ingestion.history.backfill import Backfill, Request, backfill
from ingestion.providers.base import DAY_MS, Answer, Reach, Row
from ingestion.records.instruments import Instrument
from market.contracts import Bar

pytestmark = pytest.mark.unit

At = Callable[[str], int]
HOUR_MS = 3_600_000


class Killed(BaseException):
    """Nothing that comes after it is done."""


class Parts:
    """Provider, broker and database of one backfill. Its answers have a row a weekday."""

    title = "Parts"
    reach: ClassVar[dict[str, Reach]] = {
        "1d": Reach(None, None),
        "1h": Reach(100, None),
        "15m": Reach(60, None),
        "5m": Reach(60, None),
        "1m": Reach(28, 7),
    }

    def __init__(self, now_ms: int) -> None:
        self.now_ms = now_ms
        self.sent: list[Bar] = []
        self.is_away_for: set[str] = set()
        self.makes_no_sense_of: set[str] = set()
        self.throttled_for: set[str] = set()
        self.has_history: list[str] = []
        # The process is killed when so many records are with the broker.
        self.dies_after = 0

    def history(self, _symbol: str, timeframe: str, start_ms: int | None, end_ms: int | None) -> Answer:
        if timeframe in self.is_away_for:
            raise Unavailable("away")
        if timeframe in self.throttled_for:
            raise Throttled("too many requests", 40.0)
        if timeframe in self.makes_no_sense_of:
            raise Malformed("nonsense")
        first = self.now_ms - 500 * DAY_MS if start_ms is None else start_ms
        starts = range(-(-first // DAY_MS) * DAY_MS + 15 * HOUR_MS, end_ms or self.now_ms, DAY_MS)
        rows = [Row(ms, _day(ms), 1.0, 1.0, 1.0, 1.0, 1.0) for ms in starts if _day(ms).weekday() < 5]
        return Answer(self.now_ms, rows)

    def send_all(self, records: list[Any], *, history: bool = False) -> int:
        assert history or not records
        left = self.dies_after - len(self.sent)
        if self.dies_after and left <= len(records):
            self.sent += records[:left]
            raise Killed
        self.sent += records
        return len(records)

    def flush(self, _timeout_s: float) -> None:
        pass

    def run(self, statement: str, parameters: Any = ()) -> list[Any]:
        """PostgreSQL, as far as a backfill remembers there what it did."""
        if "SELECT symbol FROM core.instruments WHERE history_at" in statement:
            return [(symbol,) for symbol in self.has_history]
        if "SET history_at = now()" in statement:
            self.has_history.append(*parameters)
        if "SET history_at = NULL" in statement:
            self.has_history = [symbol for symbol in self.has_history if (symbol,) != parameters]
        if "DISTINCT session_date" in statement:
            return [(_day(bar.event_ms),) for bar in self.sent if (bar.symbol, bar.timeframe) == parameters]
        return []


def _day(ms: int) -> date:
    return datetime.fromtimestamp(ms / 1000, UTC).date()


@pytest.fixture
def parts(at: At) -> Parts:
    return Parts(at("2025-11-22T12:00"))  # a Saturday


def run_of(parts: Parts) -> Backfill:
    return Backfill(parts, parts, parts, "simulator", Request(), lambda: parts.now_ms)  # type: ignore[arg-type]


def test_the_days_of_all_symbols_come_first_for_they_bring_the_splits(parts: Parts, apple: Instrument) -> None:
    run_of(parts).fetch([apple, replace(apple, symbol="MSFT")])
    order = list(dict.fromkeys((bar.symbol, bar.timeframe == "1d") for bar in parts.sent))
    assert order == [("AAPL", True), ("MSFT", True), ("AAPL", False), ("MSFT", False)]


@pytest.mark.parametrize(("timeframes", "series"), [(None, 10), (["1d", "1m"], 4)])
def test_whoever_waits_is_shown_how_many_of_the_series_are_done(
    parts: Parts, apple: Instrument, timeframes: list[str] | None, series: int
) -> None:
    shown: list[tuple[float, str]] = []
    request = Request(timeframes=timeframes)
    run: Any = Backfill(
        parts, parts, parts, "simulator", request, lambda: parts.now_ms, lambda *said: shown.append(said)
    )  # type: ignore[arg-type]
    run.fetch([apple, replace(apple, symbol="MSFT")])
    assert [done for done, _ in shown] == [position / series for position in range(series)]
    assert (shown[0][1], shown[1][1].partition(",")[0]) == ("AAPL 1d, 0 bars", "MSFT 1d")


def test_no_frame_is_sent_behind_the_minutes_that_make_it(parts: Parts, apple: Instrument) -> None:
    run_of(parts).fetch([apple])
    intraday = [bar for bar in parts.sent if bar.timeframe != "1d"]
    minutes = [place for place, bar in enumerate(intraday) if bar.timeframe == "1m"]
    before, after = intraday[: minutes[0]], intraday[minutes[-1] + 1 :]
    reach_ms = parts.now_ms - 28 * DAY_MS
    assert {bar.timeframe for bar in before} == {bar.timeframe for bar in after} == {"1h", "15m", "5m"}
    assert max(bar.event_ms for bar in before) < reach_ms <= min(bar.event_ms for bar in after)


def test_what_was_held_for_the_minutes_is_sent_although_they_do_not_come(
    parts: Parts, apple: Instrument, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("ingestion.history.backfill.patiently", lambda ask, *_: ask())
    parts.is_away_for = {"1m"}
    with pytest.raises(Unavailable):
        run_of(parts).fetch([apple])
    newest = max(bar.event_ms for bar in parts.sent if bar.timeframe == "5m")
    assert newest > parts.now_ms - 2 * DAY_MS


@pytest.mark.parametrize("records", [1, 200, 357, 380, 440, 480, 510])
def test_after_a_kill_at_any_record_the_next_run_leaves_no_hole(
    parts: Parts, at: At, apple: Instrument, records: int
) -> None:
    undisturbed = Parts(at("2025-11-22T12:00"))
    run_of(undisturbed).fetch([apple])
    parts.dies_after = records
    with pytest.raises(Killed):
        run_of(parts).fetch([apple])
    assert (len(parts.sent), parts.has_history) == (records, [])
    parts.dies_after = 0
    run_of(parts).fetch([apple])
    assert {key_of(bar) for bar in parts.sent} == {key_of(bar) for bar in undisturbed.sent}
    assert parts.has_history == ["AAPL"]


def test_one_that_is_killed_while_it_fetches_what_is_new_leaves_no_part_of_a_session(
    parts: Parts, apple: Instrument
) -> None:
    run_of(parts).fetch([apple])
    parts.dies_after = len(parts.sent) + 3
    with pytest.raises(Killed):
        run_of(parts).fetch([apple])
    assert parts.has_history == []


def key_of(bar: Bar) -> tuple[str, str, int]:
    return bar.symbol, bar.timeframe, bar.event_ms


def test_after_a_kill_only_the_symbols_that_were_not_done_are_fetched_again(parts: Parts, apple: Instrument) -> None:
    microsoft = replace(apple, symbol="MSFT")
    run_of(parts).fetch([apple, microsoft])
    a_run = len(parts.sent)
    parts.sent, parts.has_history, parts.dies_after = [], [], a_run - 10
    with pytest.raises(Killed):
        run_of(parts).fetch([apple, microsoft])
    assert parts.has_history == ["AAPL"]
    before, parts.dies_after = len(parts.sent), 0
    run_of(parts).fetch([apple, microsoft])
    again = [bar.symbol for bar in parts.sent[before:]]
    assert again.count("MSFT") == a_run / 2
    # The newest session may have been stored before it was over.
    assert again.count("AAPL") < 0.1 * a_run


def said_by(monkeypatch: pytest.MonkeyPatch) -> list[tuple[str, str, bool]]:
    """(state, detail, whether it is at work) of each word about itself."""
    said: list[tuple[str, str, bool]] = []

    def set_status(_: Any, __: str, state: str, detail: str, *, is_at_work: bool = False) -> None:
        said.append((state, detail, is_at_work))

    monkeypatch.setattr(tables, "set_status", set_status)
    return said


def test_a_backfill_that_is_killed_has_not_said_that_all_is_well(
    parts: Parts, apple: Instrument, monkeypatch: pytest.MonkeyPatch
) -> None:
    said = said_by(monkeypatch)
    parts.dies_after = 440
    with pytest.raises(Killed):
        run_of(parts).fetch([apple])
    assert {(state, is_at_work) for state, _, is_at_work in said} == {("working", True)}
    assert said[-1][1].startswith("AAPL 15m: ")


def test_what_a_backfill_waits_for_is_said_while_it_waits(
    parts: Parts, apple: Instrument, monkeypatch: pytest.MonkeyPatch
) -> None:
    said = said_by(monkeypatch)
    monkeypatch.setattr(time, "sleep", lambda _: parts.throttled_for.clear())
    parts.throttled_for = {"15m"}
    run_of(parts).fetch([apple])
    waited = [word for word in said if word[0] != "working"]
    assert waited == [("throttled", "Parts: too many requests, next try in 40 s; 428 bars so far", True)]


def test_a_backfill_without_a_broker_says_so(parts: Parts, whole_run: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    said = said_by(monkeypatch)

    def flush(_timeout_s: float) -> None:
        raise BrokerAway("Kafka did not acknowledge 12 records within 120 s")

    monkeypatch.setattr(parts, "flush", flush)
    with pytest.raises(BrokerAway):
        whole_run(Request())
    state, detail, is_at_work = said[-1]
    assert (state, is_at_work) == ("stopped", False)
    assert detail.startswith("Kafka did not acknowledge 12 records within 120 s; 5 series, ")


@pytest.fixture
def whole_run(parts: Parts, apple: Instrument, monkeypatch: pytest.MonkeyPatch) -> Callable[[Request], tuple[Any, Any]]:
    """The command on a known symbol and on one that nobody knows, as far as it can be seen without PostgreSQL."""
    said = said_by(monkeypatch)
    monkeypatch.setattr("ingestion.history.backfill.patiently", lambda ask, *_: ask())
    monkeypatch.setattr("ingestion.history.backfill.patient_instruments", lambda *_: ([apple], ["NOPE"], None))
    for name in ("begin_work", "claim_history", "mark_history", "unmark_history"):
        monkeypatch.setattr(tables, name, lambda *_: True)
    monkeypatch.setattr(ledger_tables, "note_coverage", lambda *_: None)
    monkeypatch.setattr(tables, "with_history", lambda *_: set())
    monkeypatch.setattr(tables, "stored_sessions", lambda *_: set())
    monkeypatch.setattr(tables, "stored_splits", lambda *_: {})

    def run(request: Request) -> tuple[Any, Any]:
        _, stopped = backfill(parts, parts, parts, "simulator", request, lambda: parts.now_ms)  # type: ignore[arg-type]
        assert not said[-1][2], "a last word counts without the process"
        return stopped, said[-1][:2]

    return run


def test_a_backfill_without_an_answer_about_a_series_is_no_success(parts: Parts, whole_run: Any) -> None:
    parts.makes_no_sense_of = {"5m"}
    stopped, (state, detail) = whole_run(Request())
    assert (type(stopped), stopped.exit_code) == (Malformed, 14)
    assert (state, detail.partition(":")[0]) == ("retrying", "no good answer about AAPL 5m")
    parts.makes_no_sense_of = set()
    assert (whole_run(Request())[0], whole_run(Request())[1][0]) == (None, "ok")


def test_a_symbol_that_was_asked_for_by_name_and_is_unknown_is_no_success(whole_run: Any) -> None:
    stopped, (state, detail) = whole_run(Request(["AAPL", "NOPE"]))
    assert isinstance(stopped, UnknownSymbol)
    assert (state, detail.partition(":")[0]) == ("stopped", "Parts knows no symbol NOPE"), "nobody tries it again"


@pytest.mark.parametrize(
    ("request_", "words"),
    [
        (Request(timeframes=["1m", "7m"]), "has no bars of 7m"),
        (Request(since=date(2025, 11, 20), until=date(2025, 11, 19)), "--until 2025-11-19 lies before --since"),
    ],
)
def test_a_request_that_no_answer_could_fulfil_is_refused(whole_run: Any, request_: Request, words: str) -> None:
    with pytest.raises(BadConfiguration, match=words):
        whole_run(request_)


class Forgetful(Parts):
    """Keeps nothing of what it is sent, as a broker does from here."""

    def send_all(self, records: list[Any], *, history: bool = False) -> int:
        return len(records)


def test_memory_does_not_grow_with_the_number_of_symbols(at: At, apple: Instrument) -> None:
    peaks = []
    for symbols in (2, 4, 40):
        parts = Forgetful(at("2025-11-22T12:00"))
        instruments = [replace(apple, symbol=f"S{number}") for number in range(symbols)]
        tracemalloc.start()
        run_of(parts).fetch(instruments)
        peaks.append(tracemalloc.get_traced_memory()[1])
        tracemalloc.stop()
    # The first run has filled what all share.
    assert peaks[2] < peaks[1] + 300_000
