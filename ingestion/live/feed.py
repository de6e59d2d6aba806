"""The supervisor of the live feed's WebSocket: connects, subscribes, watches for signs of life, and starts again.

It knows how far the feed is complete: a frame or a pong that has come proves that all that the server had sent before it has come
too, since TCP keeps order. A connection that only looks alive proves nothing.
"""

import asyncio
import random
import time
from collections.abc import Awaitable, Callable
from dataclasses import dataclass

import structlog
from websockets.asyncio.client import ClientConnection, connect
from websockets.exceptions import ConnectionClosed, WebSocketException

from ingestion.errors import capital
from ingestion.live.backoff import backoff_s
from ingestion.providers.base import LiveProvider

log = structlog.get_logger()

OPEN_TIMEOUT_S = 10.0
# The stock client repeats its subscription as often; Yahoo forgets one that is not repeated.
RESUBSCRIBE_S = 15.0
PONG_TIMEOUT_S = 10.0
BEAT_S = 1.0
# A connection that lived so long was a good one: the next attempt begins with the short wait again.
PROVEN_S = 30.0
# After a connection that gave data the next one is there within five seconds, however often that happens; who refuses us, or hangs
# up before the first frame, is asked less and less.
LONGEST_PAUSE_S, LONGEST_AFTER_DATA_S = 20.0, 3.5


class FeedLost(Exception):
    """The connection is of no more use. `reason` is a word for the metrics."""

    def __init__(self, reason: str, sentence: str) -> None:
        super().__init__(sentence)
        self.reason = reason


@dataclass(slots=True)
class Link:
    """One connection: since when it is complete, and the last proof of it (milliseconds since the epoch)."""

    since_ms: int
    proven_ms: int
    frame_ms: int
    frames: int = 0
    is_waiting: bool = False


class Feed:
    """Runs until cancelled. `on_frame` is awaited for each frame, in order; what it waits for is back-pressure.

    `symbols` is asked each second for what is to be subscribed, `expects_data` whether any of it trades now.
    """

    def __init__(
        self,
        provider: LiveProvider,
        symbols: Callable[[], frozenset[str]],
        expects_data: Callable[[int], bool],
        on_frame: Callable[[str | bytes, int], Awaitable[None]],
        on_lost: Callable[[str, str, int], None],
        on_connected: Callable[[int], None],
        silence_timeout_s: float,
        now_ms: Callable[[], int],
        rng: random.Random,
    ) -> None:
        self._provider = provider
        self._symbols = symbols
        self._expects_data = expects_data
        self._on_frame = on_frame
        self._on_lost = on_lost
        self._on_connected = on_connected
        self._silence_timeout_ms = int(silence_timeout_s * 1000)
        self._now_ms = now_ms
        self._rng = rng
        self._silences = 0
        self._had_data = False
        self.link: Link | None = None
        self.state = "waiting for symbols"

    async def run(self) -> None:
        attempt = 0
        while True:
            while not self._symbols():
                await asyncio.sleep(BEAT_S)
            started_s = time.monotonic()
            lost = await self._connection()
            attempt = 0 if time.monotonic() - started_s > PROVEN_S else attempt + 1
            longest_s = LONGEST_AFTER_DATA_S if self._had_data else LONGEST_PAUSE_S
            pause_s = backoff_s(attempt, first_s=0.25, longest_s=longest_s, rng=self._rng)
            self.state = f"{lost}, next try in {pause_s:.0f} s"
            log.warning("feed lost", reason=lost.reason, detail=str(lost), attempt=attempt, pause_s=round(pause_s, 2))
            await asyncio.sleep(pause_s)

    async def _connection(self) -> FeedLost:
        """One connection from its opening to its end, and why it ended."""
        try:
            async with connect(
                self._provider.feed_url,
                open_timeout=OPEN_TIMEOUT_S,
                ping_interval=None,
                close_timeout=1.0,
                max_size=1 << 20,
            ) as socket:
                return await self._serve(socket)
        except FeedLost as lost:
            return self._ended(lost)
        except ConnectionClosed as error:
            code = error.rcvd.code if error.rcvd else 1006
            reason = "closed" if error.rcvd else "aborted"
            return self._ended(FeedLost(reason, f"the feed's connection was {reason} ({code})"))
        except (OSError, WebSocketException, ImportError) as error:
            sentence = " ".join(str(error).split()) or type(error).__name__
            return self._ended(
                FeedLost("unreachable", capital(f"{self._provider.title}'s feed cannot be reached: {sentence[:200]}"))
            )

    async def _serve(self, socket: ClientConnection) -> FeedLost:
        subscribed = self._symbols()
        await socket.send(self._provider.subscribe(subscribed))
        now_ms = self._now_ms()
        link = self.link = Link(since_ms=now_ms, proven_ms=now_ms, frame_ms=now_ms)
        self.state = "connected"
        self._on_connected(now_ms)
        log.info("feed connected", symbols=len(subscribed))
        reader = asyncio.create_task(self._read(socket, link))
        keeper = asyncio.create_task(self._keep(socket, link, subscribed))
        try:
            await asyncio.wait((reader, keeper), return_when=asyncio.FIRST_COMPLETED)
            for task in (reader, keeper):
                if task.done():
                    await task
            raise FeedLost("ended", "the feed ended")
        finally:
            for task in (reader, keeper):
                task.cancel()
            await asyncio.gather(reader, keeper, return_exceptions=True)

    async def _read(self, socket: ClientConnection, link: Link) -> None:
        while True:
            link.is_waiting = True
            frame = await socket.recv()
            link.is_waiting = False
            now_ms = self._now_ms()
            link.frames += 1
            await self._on_frame(frame, now_ms)
            # After it was handed on: what is proven has been dealt with.
            link.proven_ms = link.frame_ms = now_ms
            self._silences = 0

    async def _keep(self, socket: ClientConnection, link: Link, subscribed: frozenset[str]) -> None:
        """Each second: subscribe to what changed, repeat the subscription now and then, ask for a sign of life in quiet."""
        repeated_s = time.monotonic()
        while True:
            await asyncio.sleep(BEAT_S)
            wanted = self._symbols()
            if not wanted:
                raise FeedLost("no symbols", "no symbols are tracked")
            if gone := subscribed - wanted:
                await socket.send(self._provider.unsubscribe(gone))
            if wanted != subscribed or time.monotonic() - repeated_s >= RESUBSCRIBE_S:
                await socket.send(self._provider.subscribe(wanted))
                repeated_s = time.monotonic()
            subscribed = wanted
            if not link.is_waiting:
                # What has come waits for the broker; a socket that is not read gives no sign of life.
                continue
            if self._now_ms() - link.proven_ms >= BEAT_S * 1000:
                await self._ping(socket, link)
            self._check_silence(link)

    async def _ping(self, socket: ClientConnection, link: Link) -> None:
        """A pong proves that the feed is complete up to when the ping was sent."""
        sent_ms = self._now_ms()
        pong = await socket.ping()
        try:
            async with asyncio.timeout(PONG_TIMEOUT_S):
                await pong
        except TimeoutError as error:
            if not link.is_waiting:
                return
            raise FeedLost("dead", f"the feed gave no sign of life for {PONG_TIMEOUT_S:.0f} s") from error
        link.proven_ms = max(link.proven_ms, sent_ms)

    def _check_silence(self, link: Link) -> None:
        """A feed can be alive and say nothing. How long that is believed doubles with each silence in a row."""
        now_ms = self._now_ms()
        silent_ms = now_ms - link.frame_ms
        limit_ms = self._silence_timeout_ms * 2 ** min(self._silences, 5)
        if silent_ms < limit_ms or not (self._expects_data(now_ms) and self._expects_data(now_ms - limit_ms)):
            return
        self._silences += 1
        link.proven_ms = link.frame_ms
        raise FeedLost("silent", f"the feed was silent for {silent_ms / 1000:.0f} s while an exchange is open")

    def _ended(self, lost: FeedLost) -> FeedLost:
        link, self.link = self.link, None
        self._had_data = link is not None and link.frames > 0
        self._on_lost(lost.reason, str(lost), link.proven_ms if link else 0)
        return lost
