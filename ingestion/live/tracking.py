"""The tracked list while the service runs: symbols come and go in the table, new ones are described and drawn at once."""

import asyncio
from collections.abc import Callable
from datetime import UTC, date, datetime

import structlog

from ingestion import catalogue, tables
from ingestion.database import Database
from ingestion.errors import DatabaseAway, Malformed, ProviderError, UnknownSymbol
from ingestion.live.asking import Asking
from ingestion.live.threads import in_thread
from ingestion.live.work import LiveStream
from ingestion.providers.base import Provider
from ingestion.records.instruments import Tracked
from ingestion.records.rows import records_of
from ingestion.records.splits import SplitFactors

log = structlog.get_logger()

TABLE_POLL_S = 2.0
# So many new symbols get their chart at once; the others of a crowd are the poll's, which asks first who was never asked about.
DRAWN_AT_ONCE = 10
# After an answer about a symbol that made no sense.
ASK_AGAIN_MS = 60_000


class Tracking:
    """Keeps `LiveStream.instruments` as the table says. `database_trouble` is why it could not, for the log and the status."""

    def __init__(
        self,
        database: Database,
        provider: Provider,
        asking: Asking,
        stream: LiveStream,
        source: str,
        now_ms: Callable[[], int],
    ) -> None:
        self._database = database
        self._provider = provider
        self._asking = asking
        self._stream = stream
        self._source = source
        self._now_ms = now_ms
        self._to_welcome: list[Tracked] = []
        # Who has a chart, or is left to the poll; all others are welcomed, again and again until it came to that.
        self._drawn: set[str] = set()
        self._has_news = asyncio.Event()
        self._not_before_ms: dict[str, int] = {}
        self.database_trouble = ""
        self.on_list: Callable[[list[Tracked]], None] = lambda _: None
        self.tracked: int | None = None
        self.unknown = 0
        # About one symbol each: what was wrong with the last answer, until there is a good one.
        self.answer_trouble: dict[str, Malformed] = {}

    async def seed(self, symbols: list[str]) -> None:
        """At the first start, the configured symbols; waits for the database as long as it takes."""
        while True:
            try:
                seeded = await in_thread(lambda: tables.seed_tracked(self._database, symbols, self._source))
            except DatabaseAway as error:
                self.note_database(str(error))
                await asyncio.sleep(TABLE_POLL_S)
                continue
            log.info("tracked list", seeded=seeded)
            return

    async def follow_table(self) -> None:
        """Reads the list every few seconds; while the database is away, the last one holds."""
        while True:
            try:
                entries = await in_thread(lambda: tables.tracked(self._database))
            except DatabaseAway as error:
                self.note_database(str(error))
            else:
                self.note_database("")
                self._take(entries)
            await asyncio.sleep(TABLE_POLL_S)

    def _take(self, entries: list[Tracked]) -> None:
        """The list as it is now. Who comes while the service runs is welcomed; who was there at its start is the poll's."""
        now_ms = self._now_ms()
        known = {e.symbol: e.instrument for e in entries if e.instrument is not None}
        if self.tracked is None:
            self._drawn = set(known)
        self._drawn &= {e.symbol for e in entries if e.state != "unknown"}
        self._to_welcome = [e for e in entries if catalogue.needs_description(e, now_ms)]
        self._to_welcome += [e for e in entries if e.instrument is not None and e.symbol not in self._drawn]
        self._stream.instruments = known
        self.tracked = len(entries)
        self.unknown = sum(entry.state == "unknown" for entry in entries)
        self.on_list(entries)
        if self._to_welcome:
            self._has_news.set()

    async def welcome_new(self) -> None:
        """Asks about new symbols, oldest first; unless they are a crowd, each gets its minutes of today as soon as it is known."""
        while True:
            await self._has_news.wait()
            self._has_news.clear()
            entries, self._to_welcome = self._to_welcome, []
            for place, entry in enumerate(entries):
                # Since the list was read, a symbol may have been welcomed.
                if entry.symbol in self._drawn or self._now_ms() < self._not_before_ms.get(entry.symbol, 0):
                    continue
                try:
                    await self._welcome(entry, is_drawn=place < DRAWN_AT_ONCE)
                    self.answer_trouble.pop(entry.symbol, None)
                except Malformed as error:
                    self._not_before_ms[entry.symbol] = self._now_ms() + ASK_AGAIN_MS
                    self.answer_trouble[entry.symbol] = error
                    log.warning("answer", symbol=entry.symbol, detail=str(error))
                except UnknownSymbol as error:
                    self._not_before_ms[entry.symbol] = self._now_ms() + ASK_AGAIN_MS
                    log.warning("answer", symbol=entry.symbol, detail=str(error))
                except ProviderError:
                    break
                except DatabaseAway as error:
                    self.note_database(str(error))
                    break

    async def _welcome(self, entry: Tracked, *, is_drawn: bool) -> None:
        instrument = entry.instrument
        if instrument is None:
            instrument = await self._asking.ask(
                lambda: catalogue.describe(self._database, self._provider, entry, self._source, self._today)
            )
        if instrument is None:
            return
        self._stream.instruments = {**self._stream.instruments, instrument.symbol: instrument}
        if not is_drawn:
            self._drawn.add(entry.symbol)
            return
        answer = await self._asking.ask(lambda: self._provider.newest(entry.symbol, "1m"))
        records = records_of(answer, instrument, "1m", self._source, SplitFactors(answer.splits))
        for record in (*records.bars, *records.dead_letters):
            await self._stream.send(record)
        self._drawn.add(entry.symbol)
        log.info("new symbol", symbol=entry.symbol, bars=len(records.bars), dead_letters=len(records.dead_letters))

    def trouble(self) -> tuple[ProviderError | None, float]:
        """What keeps symbols from being followed, and the seconds until the provider is asked again."""
        if self._asking.trouble is not None:
            return self._asking.trouble, (self._asking.next_try_ms - self._now_ms()) / 1000
        for symbol, error in self.answer_trouble.items():
            if not self._stream.instruments:
                return error, (self._not_before_ms[symbol] - self._now_ms()) / 1000
        return None, 0.0

    def _today(self) -> date:
        return datetime.fromtimestamp(self._now_ms() / 1000, UTC).date()

    def note_database(self, trouble: str) -> None:
        if trouble and trouble != self.database_trouble:
            log.warning("database", detail=trouble)
        self.database_trouble = trouble
