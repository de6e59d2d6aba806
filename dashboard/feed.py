"""What the page asks for in one refresh, read in one snapshot; what changes slowly is asked seldom, for all sessions at once."""

from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import datetime
from threading import Lock
from typing import Any, Protocol, TypeVar

from cachetools import TTLCache
from psycopg2.extensions import cursor

from dashboard import formats, queries
from dashboard.adjustment import DEFAULT_ADJUSTMENT, Adjustment
from dashboard.database import Database
from dashboard.queries import Instrument, Latest, Quality, Refused, Row, Service, Session, Watched

T = TypeVar("T")

BARS = 600
MOST_BARS = 2_400
SLOW_S = 15
"""Tracked symbols, sessions, small charts, dead letters and which frames have bars are read again after so many seconds."""


@dataclass(frozen=True, slots=True)
class Request:
    """`since_ms` is where the reader's own bars become uncertain; None asks for all `bars`."""

    symbol: str
    timeframe: str
    bars: int = BARS
    since_ms: int | None = None
    adjustment: Adjustment = DEFAULT_ADJUSTMENT


@dataclass(frozen=True, slots=True)
class Snapshot:
    """Everything that a refresh draws, as of `now`, the database's clock."""

    now: datetime
    symbol: str
    timeframe: str
    adjustment: Adjustment = DEFAULT_ADJUSTMENT
    instruments: list[Instrument] = field(default_factory=list)
    timeframes: list[str] = field(default_factory=list)
    rows: list[Row] = field(default_factory=list)
    is_whole: bool = True
    latest: Latest | None = None
    five_minute_mean: float | None = None
    sessions: list[Session] = field(default_factory=list)
    quality: Quality | None = None
    watchlist: list[Watched] = field(default_factory=list)
    sparks: dict[str, list[float]] = field(default_factory=dict)
    services: list[Service] = field(default_factory=list)
    stream_age_s: float | None = None
    recomputing_from: datetime | None = None
    refused: Refused | None = None

    @property
    def instrument(self) -> Instrument | None:
        return next((one for one in self.instruments if one.symbol == self.symbol), None)


class Feed(Protocol):
    """The page's one port. `read` raises `DatabaseProblem` when there is no answer."""

    def instruments(self) -> list[Instrument]: ...

    def timeframes(self, symbol: str) -> list[str]: ...

    def read(self, request: Request) -> Snapshot: ...


class DatabaseFeed:
    def __init__(self, database: Database) -> None:
        self._database = database
        self._slow: TTLCache[tuple[str, str], Any] = TTLCache(maxsize=512, ttl=SLOW_S)
        self._lock = Lock()

    def instruments(self) -> list[Instrument]:
        return self._database.read(lambda cur: self._seldom("instruments", "", lambda: queries.instruments(cur)))

    def timeframes(self, symbol: str) -> list[str]:
        return self._database.read(lambda cur: self._timeframes(cur, symbol))

    def read(self, request: Request) -> Snapshot:
        return self._database.read(lambda cur: self._snapshot(cur, request))

    def _snapshot(self, cur: cursor, request: Request) -> Snapshot:
        symbol, timeframe = request.symbol, request.timeframe
        instruments = self._seldom("instruments", "", lambda: queries.instruments(cur))
        calendar = next((one.calendar for one in instruments if one.symbol == symbol and one.calendar), None)
        watchlist = queries.watchlist(cur)
        names = [one.symbol for one in watchlist]
        return Snapshot(
            now=queries.clock(cur),
            symbol=symbol,
            timeframe=timeframe,
            adjustment=request.adjustment,
            instruments=instruments,
            timeframes=self._timeframes(cur, symbol),
            rows=queries.bars(
                cur,
                symbol,
                timeframe,
                request.bars,
                queries.BEGINNING if request.since_ms is None else formats.instant(request.since_ms),
                request.adjustment,
            ),
            is_whole=request.since_ms is None,
            latest=queries.latest(cur, symbol),
            five_minute_mean=queries.five_minute_mean(cur, symbol),
            sessions=self._seldom("sessions", calendar, lambda: queries.sessions(cur, calendar)) if calendar else [],
            quality=queries.quality(cur, symbol),
            watchlist=watchlist,
            sparks=self._seldom("sparks", ",".join(names), lambda: queries.sparks(cur, names)),
            services=queries.services(cur),
            stream_age_s=queries.stream_age_s(cur),
            recomputing_from=queries.recomputing_from(cur, symbol, timeframe),
            refused=self._seldom("refused", "", lambda: queries.refused(cur)),
        )

    def _timeframes(self, cur: cursor, symbol: str) -> list[str]:
        return self._seldom("timeframes", symbol, lambda: queries.timeframes(cur, symbol))

    def _seldom(self, what: str, of: str, ask: Callable[[], T]) -> T:
        """The answer of the last seconds, or a new one. An empty answer is not kept: a first start fills up quickly."""
        with self._lock:
            known: T | None = self._slow.get((what, of))
        if known:
            return known
        answer = ask()
        with self._lock:
            self._slow[what, of] = answer
        return answer
