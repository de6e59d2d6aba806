"""The live service, wired top to bottom: what runs side by side, and how it stops."""

import asyncio
import random
import signal
import sys
import time
from collections import Counter
from functools import partial

import structlog
from prometheus_client import start_http_server

from ingestion import metrics, tables
from ingestion.clock import now_ms
from ingestion.database import Database
from ingestion.errors import BrokerAway, DatabaseAway
from ingestion.live.asking import Asking
from ingestion.live.feed import Feed
from ingestion.live.healing import Healing
from ingestion.live.history import Histories
from ingestion.live.jumps import Jumps
from ingestion.live.status import Situation, line
from ingestion.live.threads import in_thread
from ingestion.live.tracking import Tracking
from ingestion.live.work import LiveStream
from ingestion.providers.base import LiveProvider
from ingestion.publisher import Publisher
from ingestion.settings import Settings
from market.topics import EVENTS

log = structlog.get_logger()

NAME = "ingestion"
STATUS_S = 2.0
SERVE_S = 0.1
PARTITIONS_S = 60.0
REPEATS_S = 60.0
FLUSH_S = 8.0
HISTORY_COMMAND = ("nice", "-n10", sys.executable, "-m", "ingestion", "backfill", "--symbols")


async def run(settings: Settings, provider: LiveProvider) -> None:
    """Until SIGTERM or SIGINT. Raises `BrokerAway` when the producer can send no more and the process must start anew."""
    if settings.metrics_port:
        start_http_server(settings.metrics_port, addr="127.0.0.1")
    rng = random.Random()  # noqa: S311  (jitter, not secrets)
    database = Database(settings.database_url)
    publisher = Publisher(
        settings.kafka_bootstrap, settings.kafka_prefix, settings.producer_queue_mb, "candlestream-live"
    )
    stream = LiveStream(provider, publisher, settings.source, now_ms, Jumps(settings.max_jump))
    asking = Asking(now_ms, rng)
    tracking = Tracking(database, provider, asking, stream, settings.source, now_ms)
    # The ledger of the stream names topics without their prefix.
    healing = Healing(database, provider, asking, stream, publisher, settings.source, EVENTS.name, now_ms)
    histories = Histories(now_ms, HISTORY_COMMAND)
    tracking.on_list = histories.note
    feed = Feed(
        provider,
        stream.symbols,
        stream.is_trading,
        stream.on_frame,
        stream.on_lost,
        stream.on_connected,
        settings.silence_timeout_s,
        now_ms,
        rng,
    )

    stop = asyncio.Event()
    loop = asyncio.get_running_loop()
    for signum in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(signum, stop.set)

    async def work() -> None:
        await tracking.seed(settings.symbols)
        histories.begin()
        await healing.remember_last_run()
        async with asyncio.TaskGroup() as tasks:
            tasks.create_task(tracking.follow_table())
            tasks.create_task(tracking.welcome_new())
            tasks.create_task(feed.run())
            tasks.create_task(stream.beat(feed))
            tasks.create_task(healing.run())
            tasks.create_task(histories.run())
            tasks.create_task(learn_partitions(publisher))
            tasks.create_task(count_repeats(database, stream))

    log.info("live", source=settings.source, provider=provider.title, topic=EVENTS.full_name(settings.kafka_prefix))
    service = [
        asyncio.create_task(work()),
        asyncio.create_task(serve_producer(publisher)),
        asyncio.create_task(report(database, publisher, stream, tracking, feed, provider)),
    ]
    stopping = asyncio.create_task(stop.wait())
    try:
        await asyncio.wait((*service, stopping), return_when=asyncio.FIRST_COMPLETED)
        for task in service:
            if task.done():
                await task
    finally:
        stopping.cancel()
        for task in service:
            task.cancel()
        await asyncio.gather(*service, stopping, return_exceptions=True)
        await finish(database, publisher)


async def serve_producer(publisher: Publisher) -> None:
    """Runs the producer's callbacks; ends with `BrokerAway` on an error that only a new producer mends."""
    while True:
        metrics.QUEUED.set(publisher.serve())
        if publisher.fatal:
            raise BrokerAway(f"the Kafka producer cannot go on: {publisher.fatal}")
        await asyncio.sleep(SERVE_S)


async def learn_partitions(publisher: Publisher) -> None:
    while True:
        await in_thread(publisher.refresh_partitions)
        await asyncio.sleep(PARTITIONS_S)


async def count_repeats(database: Database, stream: LiveStream) -> None:
    """What the feed said twice, to the quality table once a minute; what cannot be written goes with the next."""
    while True:
        await asyncio.sleep(REPEATS_S)
        repeats, stream.repeats = stream.repeats, Counter()
        try:
            await in_thread(partial(tables.add_repeats, database, repeats))
        except DatabaseAway:
            stream.repeats.update(repeats)


async def report(
    database: Database,
    publisher: Publisher,
    stream: LiveStream,
    tracking: Tracking,
    feed: Feed,
    provider: LiveProvider,
) -> None:
    """The service's row in `core.service_status`, every two seconds; while the database is away, the log has it."""
    ticks, since_s = stream.ticks, time.monotonic()
    while True:
        passed_s = max(0.001, time.monotonic() - since_s)
        trouble, next_try_s = tracking.trouble()
        situation = Situation(
            symbols=len(stream.instruments),
            tracked=tracking.tracked,
            unknown=tracking.unknown,
            is_connected=feed.link is not None,
            feed_state=feed.state,
            is_trading=stream.is_trading(now_ms()),
            is_broker_away=publisher.is_broker_away,
            queued=publisher.waiting,
            ticks_per_s=(stream.ticks - ticks) / passed_s,
            tick_age_s=(now_ms() - stream.newest_tick_ms) / 1000 if stream.newest_tick_ms else None,
            provider_title=provider.title,
            trouble=trouble,
            next_try_s=next_try_s,
        )
        ticks, since_s = stream.ticks, time.monotonic()
        state, detail = line(situation)
        try:
            await in_thread(partial(tables.set_status, database, NAME, state, detail))
        except DatabaseAway as error:
            tracking.note_database(str(error))
        await asyncio.sleep(STATUS_S)


async def finish(database: Database, publisher: Publisher) -> None:
    """The last records to the broker, the last word to the database; what cannot be had now is said and left."""
    try:
        await in_thread(lambda: publisher.flush(FLUSH_S))
        state, detail = "stopped", "stopped, everything received was delivered"
    except BrokerAway as error:
        log.error("not delivered at the end", detail=str(error))
        state, detail = "stopped", str(error)
    try:
        await in_thread(partial(tables.set_status, database, NAME, state, detail))
    except DatabaseAway as error:
        log.warning("database", detail=str(error))
    log.info("stopped", detail=detail)
