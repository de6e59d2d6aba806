"""The live service's work on its own outages: each hole is written down, and filled once the provider's bars of it are settled."""

import asyncio
from collections.abc import Callable
from functools import partial

import structlog

from ingestion import metrics, tables
from ingestion.checks.young_splits import keep_believed, spoken_for
from ingestion.database import Database
from ingestion.errors import ABOUT_ONE_ANSWER, BrokerAway, DatabaseAway, ProviderError
from ingestion.gaps import tables as ledger_tables
from ingestion.gaps.coverage import Covered
from ingestion.live.asking import Asking
from ingestion.live.holes import LONGEST_MS, REASON, Hole, fill, touches_trading
from ingestion.live.threads import in_thread
from ingestion.live.work import LiveStream
from ingestion.providers.base import Provider
from ingestion.publisher import Publisher
from ingestion.records.instruments import Instrument
from ingestion.records.rows import Records
from market.calendars import ex_date_of

log = structlog.get_logger()

LOOK_S = 2.0
DELIVERY_TIMEOUT_S = 60.0
# After an answer that made no sense: the hole stays open and all of it is asked for again.
ASK_AGAIN_MS = 60_000


class Healing:
    """Works off the open holes of `core.gaps`, so that a hole outlives a restart in the middle of its healing."""

    def __init__(
        self,
        database: Database,
        provider: Provider,
        asking: Asking,
        stream: LiveStream,
        publisher: Publisher,
        source: str,
        events_topic: str,
        now_ms: Callable[[], int],
    ) -> None:
        self._database = database
        self._provider = provider
        self._asking = asking
        self._stream = stream
        self._publisher = publisher
        self._source = source
        self._events_topic = events_topic
        self._now_ms = now_ms
        self._not_before_ms = 0

    async def remember_last_run(self) -> None:
        """The time since the stream's last clock record is a hole too: nobody listened."""
        while True:
            try:
                through_ms = await in_thread(lambda: tables.complete_through_ms(self._database, self._events_topic))
            except DatabaseAway:
                await asyncio.sleep(LOOK_S)
                continue
            if through_ms:
                self._stream.lost_ms = through_ms
            return

    async def run(self) -> None:
        waits_for = ""
        while True:
            try:
                await self._write_down()
                await self._heal_due()
            except (ProviderError, DatabaseAway, BrokerAway) as error:
                if str(error) != waits_for:
                    log.warning("healing waits", detail=str(error))
                waits_for = str(error)
            else:
                waits_for = ""
            await asyncio.sleep(LOOK_S)

    async def _write_down(self) -> None:
        while self._stream.new_holes:
            hole = self._stream.new_holes[0]
            calendars = {instrument.calendar for instrument in self._stream.instruments.values()}
            if touches_trading(hole, calendars):
                await in_thread(partial(tables.open_hole, self._database, hole.start_ms, hole.end_ms, REASON, ""))
                log.warning(
                    "hole", start_ms=hole.start_ms, end_ms=hole.end_ms, seconds=(hole.end_ms - hole.start_ms) / 1000
                )
                metrics.HOLES.labels(outcome="opened").inc()
            self._stream.new_holes.pop(0)

    async def _heal_due(self) -> None:
        stored = await in_thread(lambda: tables.open_holes(self._database, REASON))
        now_ms = self._now_ms()
        due = [(identity, Hole(start_ms, end_ms)) for identity, start_ms, end_ms in stored]
        due = [(identity, hole) for identity, hole in due if max(hole.settled_ms, self._not_before_ms) <= now_ms]
        for identity, hole in [entry for entry in due if entry[1].start_ms < now_ms - LONGEST_MS]:
            note = "older than the live service reaches back"
            await in_thread(partial(tables.close_hole, self._database, identity, "accepted", note))
            due.remove((identity, hole))
        if not due:
            return
        holes = [hole for _, hole in due]
        bars = 0
        covered: dict[str, list[Covered]] = {}
        for instrument in list(self._stream.instruments.values()):
            try:
                records, covered[instrument.symbol] = await self._fill(holes, instrument)
                bars += len(records.bars)
            except ABOUT_ONE_ANSWER as error:
                log.warning("answer", symbol=instrument.symbol, detail=str(error))
                self._not_before_ms = now_ms + ASK_AGAIN_MS
        if self._not_before_ms > now_ms:
            return
        if not any(covered.values()):
            # Nobody has any row since the hole began: a provider that has lost its data looks like that, and so does one that lags.
            log.warning("answer", detail="the provider has nothing since the hole began", holes=len(due))
            self._not_before_ms = now_ms + ASK_AGAIN_MS
            return
        await in_thread(lambda: self._publisher.flush(DELIVERY_TIMEOUT_S))
        for symbol, pieces in covered.items():
            await in_thread(partial(ledger_tables.note_coverage, self._database, symbol, pieces))
        for identity, _ in due:
            note = f"{bars} bars from the provider"
            await in_thread(partial(tables.close_hole, self._database, identity, "repaired", note))
            metrics.HOLES.labels(outcome="repaired").inc()
        log.info("holes filled", holes=len(due), bars=bars)

    async def _fill(self, holes: list[Hole], instrument: Instrument) -> tuple[Records, list[Covered]]:
        records, covered = await self._asking.ask(
            lambda: fill(self._database, holes, instrument, self._provider, self._source)
        )
        splits = [
            (ex_date_of(instrument.calendar, action.event_ms), action.value)
            for action in records.actions
            if action.action == "split"
        ]
        if splits:
            doubted, _ = await in_thread(
                partial(keep_believed, self._database, records, splits, instrument.symbol, self._now_ms())
            )
            covered = spoken_for(covered, doubted)
        for record in (*records.bars, *records.dead_letters):
            await self._stream.send(record)
        return records, covered
