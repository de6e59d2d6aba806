"""One look at the tracked symbols, those first that have waited longest: the minutes of today and the newest days, or all since
the session that the provider has not spoken for to its bell.

Sends only what is not stored as final already, and notes what the provider has spoken for.
"""

import time
from collections.abc import Callable
from dataclasses import asdict, dataclass, field
from datetime import UTC, date, datetime

import structlog

from ingestion import tables
from ingestion.catalogue import instruments
from ingestion.checks import tables as check_tables
from ingestion.checks.sparse_answers import believed
from ingestion.checks.young_splits import keep_believed, spoken_for
from ingestion.database import Database
from ingestion.errors import ABOUT_ONE_ANSWER, Malformed, ProviderError, UnknownSymbol, capital, named, trying_again
from ingestion.gaps import tables as ledger_tables
from ingestion.gaps.coverage import LONGEST_LAG_MS, Covered, of_newest, of_window
from ingestion.poll import tables as poll_tables
from ingestion.poll.pace import Pace
from ingestion.poll.plan import Work, pace_of, plan
from ingestion.poll.standing import DELISTED, delisted_sentence, standing
from ingestion.providers.base import Provider
from ingestion.publisher import Publisher
from ingestion.records.instruments import Instrument
from ingestion.records.rows import records_of, refused_answer
from ingestion.records.splits import SplitFactors
from ingestion.requesting.retries import briefly
from market.calendars import ex_date_of, session_at
from market.contracts import Action, Bar

log = structlog.get_logger()

NAME = "poll"
FLUSH_S = 30.0
RETRY_S = 10.0
# Without a word of the provider about waiting, the next poll is the next try.
NEXT_POLL_S = 60.0


@dataclass(slots=True)
class Summary:
    """What a poll did, in numbers; its last line on stdout."""

    symbols: int = 0
    # Those whose exchange is open, and how often each of them is confirmed.
    open: int = 0
    minutes_between: float = 1.0
    requests: int = 0
    rows: int = 0
    bars: int = 0
    actions: int = 0
    dead_letters: int = 0
    # Requests that the time of this poll did not reach; the next one begins with them.
    postponed: int = 0
    unknown: list[str] = field(default_factory=list)
    delisted: list[str] = field(default_factory=list)
    failed: list[str] = field(default_factory=list)
    seconds: float = 0.0
    error: str = ""

    def as_dict(self) -> dict[str, object]:
        numbers = {"seconds": round(self.seconds, 2), "minutes_between": round(self.minutes_between, 1)}
        return {"command": "poll", **asdict(self), **numbers}


def poll(
    database: Database,
    provider: Provider,
    publisher: Publisher,
    source: str,
    wanted: list[str] | None,
    deadline_s: float,
    per_minute: float,
    now_ms: Callable[[], int],
) -> tuple[Summary, ProviderError | None]:
    """Polls until all is asked or the deadline has come. Returns what it did, and the refusal that ended it early."""
    started_s = time.monotonic()
    known, unknown, stopped = instruments(
        database, provider, source, wanted, now_ms(), lambda: datetime.fromtimestamp(now_ms() / 1000, UTC).date()
    )
    pace = pace_of(known, per_minute, now_ms())
    summary = Summary(len(known), pace.symbols, pace.minutes_between, unknown=unknown)
    work = plan(known, poll_tables.asked(database, known, now_ms()), pace, now_ms())
    look = Look(database, provider, publisher, source, summary, now_ms)
    for position, one in enumerate(work):
        if stopped is not None or time.monotonic() - started_s > deadline_s:
            summary.postponed = len(work) - position
            break
        try:
            look.at(one)
        except ABOUT_ONE_ANSWER as error:
            # About this symbol alone; the others are asked.
            look.note(one, error)
        except ProviderError as error:
            stopped = error
            summary.postponed = len(work) - position
            break
    publisher.flush(FLUSH_S)
    look.write_down()
    if stopped is not None:
        until_ms = now_ms() + int((stopped.next_try_s or 0) * 1000)
        ledger_tables.note_trouble(database, stopped.kind, stopped.sentence[:500], until_ms)
    summary.seconds = time.monotonic() - started_s
    summary.error = str(stopped) if stopped else ""
    tables.set_status(database, NAME, *status_line(summary, provider.title, pace, stopped))
    return summary, stopped


class Look:
    """The requests of one poll, and what is to be written once the broker has their records."""

    def __init__(
        self,
        database: Database,
        provider: Provider,
        publisher: Publisher,
        source: str,
        summary: Summary,
        now_ms: Callable[[], int],
    ) -> None:
        self._database = database
        self._provider = provider
        self._publisher = publisher
        self._source = source
        self._summary = summary
        self._now_ms = now_ms
        self._covered: dict[str, list[Covered]] = {}
        self._asked: list[tuple[str, str, int]] = []
        self._days: list[Bar] = []

    def at(self, work: Work) -> None:
        """One request. Raises `ProviderError`."""
        summary, instrument, timeframe = self._summary, work.instrument, work.timeframe
        symbol = instrument.symbol
        summary.requests += 1
        self._asked.append((symbol, timeframe, self._now_ms()))
        answer = briefly(lambda: work.ask(self._provider), RETRY_S)
        if not answer.rows and is_long_open(instrument, self._now_ms()):
            raise Malformed(f"{symbol} {timeframe}: no rows, while its exchange is open")
        records = records_of(answer, instrument, timeframe, self._source, SplitFactors(answer.splits))
        doubted, doubt = keep_believed(self._database, records, answer.splits, symbol, answer.asked_ms)
        sparse = ""
        if timeframe == "1m":
            since_ms, calendar = work.since_ms, instrument.calendar
            pieces = of_newest(answer, calendar) if since_ms is None else of_window(answer, calendar, since_ms, None)
            pieces, sparse = believed(self._database, symbol, answer, pieces)
            self._covered[symbol] = spoken_for(pieces, doubted)
        if doubt or sparse:
            summary.failed.append(f"{symbol} {timeframe}")
        if not records.bars and not records.dead_letters:
            return
        if timeframe == "1d":
            self._days += records.bars
        summary.rows += len(records.bars) + len(records.dead_letters)
        since_ms = min((bar.event_ms for bar in records.bars), default=0)
        bars = news(records.bars, tables.stored_bars(self._database, symbol, timeframe, since_ms))
        actions: list[Action] = []
        if records.actions:
            actions = new_actions(records.actions, instrument.calendar, tables.stored_actions(self._database, symbol))
        self._publisher.send_all([*actions, *bars, *records.dead_letters])
        summary.bars += len(bars)
        summary.actions += len(actions)
        summary.dead_letters += len(records.dead_letters)

    def note(self, work: Work, error: ProviderError) -> None:
        """An answer that was none: counted, kept as a dead letter, or a sign that the symbol is traded no more."""
        symbol = work.instrument.symbol
        self._summary.failed.append(f"{symbol} {work.timeframe}")
        log.warning("answer", symbol=symbol, timeframe=work.timeframe, detail=str(error))
        is_delisted = standing(error, 0, False, was_known=True) == DELISTED
        if is_delisted and isinstance(error, UnknownSymbol) and symbol not in self._summary.delisted:
            self._summary.delisted.append(symbol)
            last_day = poll_tables.last_day(self._database, symbol)
            poll_tables.mark_delisted(
                self._database, symbol, delisted_sentence(self._provider.title, error.said, last_day)
            )
        if isinstance(error, Malformed) and error.original:
            letter = refused_answer(error.original, str(error), self._source, self._now_ms(), symbol)
            self._summary.dead_letters += self._publisher.send_all([letter])

    def write_down(self) -> None:
        """What the provider has spoken for, and when each symbol was asked about."""
        for symbol, pieces in self._covered.items():
            ledger_tables.note_coverage(self._database, symbol, pieces)
        check_tables.note_days(self._database, self._days)
        poll_tables.note_asked(self._database, self._asked)
        poll_tables.unmark_delisted(self._database, sorted(set(self._covered) - set(self._summary.delisted)))


def is_long_open(instrument: Instrument, now_ms: int) -> bool:
    """Whether its exchange has been open for longer than a provider ever lags."""
    session = session_at(instrument.calendar, now_ms)
    return session is not None and now_ms - session.open_ms > LONGEST_LAG_MS


def news(bars: list[Bar], stored: dict[int, tuple[object, ...]]) -> list[Bar]:
    """The bars that say something: those that differ from what is stored as final, or are not final yet."""
    return [bar for bar in bars if stored.get(bar.event_ms) != (bar.open, bar.high, bar.low, bar.close, bar.volume)]


def new_actions(actions: list[Action], calendar: str, stored: dict[tuple[date, str], float]) -> list[Action]:
    """The splits and dividends that are not stored with the same value."""
    days = [ex_date_of(calendar, action.event_ms) for action in actions]
    return [
        action for action, day in zip(actions, days, strict=True) if stored.get((day, action.action)) != action.value
    ]


def status_line(summary: Summary, title: str, pace: Pace, stopped: ProviderError | None) -> tuple[str, str]:
    """(state, detail) for `core.service_status`."""
    if stopped is not None:
        again_s = stopped.next_try_s or NEXT_POLL_S
        if stopped.state == "throttled":
            return "throttled", f"{trying_again(f'throttled by {title}', again_s)}; {pace.sentence()}"
        return "retrying", trying_again(capital(f"{title}: {stopped.sentence}"), again_s)
    done = f"{pace.sentence()}; {summary.requests} requests, {summary.rows} rows, {summary.bars} new or changed"
    silent = [entry for entry in summary.failed if entry.partition(" ")[0] not in summary.delisted]
    if silent:
        done += f"; no good answer about {named(silent)}"
    if summary.delisted:
        done += f"; possibly delisted: {', '.join(summary.delisted)}"
    if summary.postponed:
        done += f"; {summary.postponed} requests left to the next poll"
    return "ok", done
