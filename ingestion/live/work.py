"""The live service's work on what the feed says: frames to ticks, ticks and the clock to Kafka, outages to holes."""

import asyncio
import time
from collections import Counter
from collections.abc import Callable
from datetime import date

import structlog

from ingestion import metrics
from ingestion.live.feed import Feed
from ingestion.live.holes import Hole
from ingestion.live.jumps import Jumps
from ingestion.providers.base import LiveProvider, MalformedFrame
from ingestion.publisher import Publisher
from ingestion.records.instruments import Instrument
from ingestion.records.quotes import Repeats, tick_of
from ingestion.records.rows import dead_letter
from market.calendars import is_regular, session_of
from market.contracts import Clock, Record
from market.errors import Reason, Rejected

log = structlog.get_logger()

# Stragglers: a trade that the feed sends this long after it happened is still on time.
GRACE_MS = 1_000
# How often the beat looks how far the feed has come: what a closed bar waits for at most beyond the grace.
LOOK_S = 0.25
# A look that comes later than this saw the process stand still, and knows nothing about what came meanwhile.
LATE_BEAT_S = 0.25
# From so many frames a look on, the newest trade says better than the wall clock how far the feed has come.
BUSY_FRAMES = 50
FULL_QUEUE_PAUSE_S = 0.05


class LiveStream:
    """What the feed said so far. `instruments` is kept by `ingestion.live.tracking`; unknown symbols are counted and dropped."""

    def __init__(
        self,
        provider: LiveProvider,
        publisher: Publisher,
        source: str,
        now_ms: Callable[[], int],
        jumps: Jumps | None = None,
    ) -> None:
        self._provider = provider
        self._publisher = publisher
        self._source = source
        self._now_ms = now_ms
        self._repeats = Repeats()
        self._jumps = Jumps() if jumps is None else jumps
        self.instruments: dict[str, Instrument] = {}
        self.new_holes: list[Hole] = []
        self.lost_ms = 0
        self.ticks = 0
        # (symbol, session) → messages that said the same again, until they are written down.
        self.repeats: Counter[tuple[str, date]] = Counter()
        self.newest_event_ms = 0
        self.newest_tick_ms = 0

    def symbols(self) -> frozenset[str]:
        return frozenset(self.instruments)

    def is_trading(self, ts_ms: int) -> bool:
        """Whether any tracked instrument's exchange is open."""
        return any(is_regular(calendar, ts_ms) for calendar in {i.calendar for i in self.instruments.values()})

    async def on_frame(self, frame: str | bytes, received_ms: int) -> None:
        """One frame: a tick, a dead letter, or nothing; counted as what it was."""
        outcome, record = self._record_of(frame, received_ms)
        metrics.FRAMES.labels(outcome=outcome).inc()
        if record is not None:
            await self.send(record)

    async def send(self, record: Record) -> None:
        """Waits while the queue is full: the feed is read no further until the broker takes what there is."""
        while not self._publisher.send(record):
            self._publisher.serve()
            await asyncio.sleep(FULL_QUEUE_PAUSE_S)

    def on_connected(self, now_ms: int) -> None:
        metrics.CONNECTED.set(1)
        if self.lost_ms:
            self.new_holes.append(Hole(min(self.lost_ms, now_ms), now_ms))
            self.lost_ms = 0

    def on_lost(self, reason: str, _sentence: str, proven_ms: int) -> None:
        """Notes since when the feed has a hole; an attempt that never connected (`proven_ms` 0) changes nothing."""
        metrics.CONNECTED.set(0)
        metrics.RECONNECTS.labels(reason=reason).inc()
        if proven_ms:
            self.lost_ms = proven_ms - GRACE_MS

    async def beat(self, feed: Feed) -> None:
        """The clock to every partition, as far as the feed is known to be complete: once for each second that it reaches."""
        frames, last_ms = 0, 0
        while True:
            pause_s = LOOK_S - time.time() % LOOK_S
            due_s = time.monotonic() + pause_s
            await asyncio.sleep(pause_s)
            link = feed.link
            if link is None or not link.is_waiting or time.monotonic() - due_s > LATE_BEAT_S:
                continue
            through_ms = link.proven_ms - GRACE_MS
            if link.frames - frames > BUSY_FRAMES:
                through_ms = min(through_ms, self.newest_event_ms)
            frames = link.frames
            if through_ms // 1000 <= last_ms // 1000 or through_ms <= link.since_ms:
                continue
            clock = Clock(source=self._source, event_ms=through_ms, fetched_ms=self._now_ms(), since_ms=link.since_ms)
            if self._publisher.send_clock(clock):
                last_ms = through_ms
                metrics.COMPLETE_THROUGH.set(through_ms / 1000)

    def _record_of(self, frame: str | bytes, received_ms: int) -> tuple[str, Record | None]:
        original = frame.encode() if isinstance(frame, str) else frame
        try:
            quote = self._provider.decode(frame)
        except MalformedFrame as error:
            rejected = Rejected(Reason.NOT_JSON, f"frame of the live feed: {error}")
            return "malformed", dead_letter(original, rejected, self._source, received_ms, received_ms)
        if quote is None:
            return "control", None
        instrument = self.instruments.get(quote.symbol)
        if instrument is None:
            return "untracked", None
        try:
            tick = tick_of(quote, instrument, self._source, received_ms)
            self._jumps.check(tick)
        except Rejected as rejected:
            return "rejected", dead_letter(original, rejected, self._source, quote.event_ms, received_ms, quote.symbol)
        if self._repeats.is_repeat(tick):
            day = session_of(instrument.calendar, tick.event_ms).session_date
            self.repeats[tick.symbol, day] += 1
            return "repeat", None
        self.ticks += 1
        self.newest_tick_ms = received_ms
        self.newest_event_ms = max(self.newest_event_ms, tick.event_ms)
        metrics.TICK_DELAY.set((received_ms - tick.event_ms) / 1000)
        return "tick", tick
