"""The streaming query: begun where the ledger stands, watched, and begun again after what can heal."""

import json
import shutil
import signal
import threading
from collections.abc import Iterator
from contextlib import contextmanager

import structlog
from confluent_kafka import KafkaException
from prometheus_client import start_http_server
from pyspark.errors import StreamingQueryException
from pyspark.sql import DataFrame, SparkSession
from pyspark.sql.streaming import StreamingQuery

from market import recompute
from market.timeframes import DAY_MS
from market.topics import DEAD_LETTERS, EVENTS, HISTORY
from spark_jobs.database.ledger import Fenced, LedgerMoved, Positions
from spark_jobs.driver import Driver
from spark_jobs.health import Health, Heartbeat
from spark_jobs.held import AWAY, Stopped
from spark_jobs.log import configure
from spark_jobs.scan import fetch
from spark_jobs.scan.fetch import Unfetched
from spark_jobs.settings import Settings
from spark_jobs.start.session import Session, jvm_may_be_gone
from spark_jobs.topics import TOPIC_CODES

FENCED = 3
FIRST_RETRY_S, LAST_RETRY_S = 1.0, 15.0
# The ledger remembers, so Spark need not write down each batch before and after it: two files and two processes (`chmod`) less
# a batch. Spark allows it for sinks that it knows alone, hence the override.
UNLOGGED = {
    "asyncProgressTrackingEnabled": "true",
    "asyncProgressTrackingCheckpointIntervalMs": str(DAY_MS),
    "_asyncProgressTrackingOverrideSinkSupportCheck": "true",
}


def run(session: Session, settings: Settings) -> int:
    """The stream until it is told to stop or is fenced out; gives the exit code."""
    log = configure("spark", settings.log_level)
    stop = session.stop
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, lambda *_: stop.set())
    if settings.metrics_port:
        start_http_server(settings.metrics_port, "127.0.0.1")

    health = Health()
    heartbeat = Heartbeat(settings.database_url, health, log)
    # The first batch waits for it by itself, if it is not done by then.
    threading.Thread(target=warm_up, args=(settings,), name="warm-up", daemon=True).start()
    try:
        wait_for_lock(heartbeat, stop, log)
    except Fenced as error:
        log.error("fenced", detail=str(error))
        return FENCED
    heartbeat.start()

    wait_s = FIRST_RETRY_S
    while not stop.is_set():
        driver = Driver(settings, health, stop, log)
        try:
            driver.claim()
            with begun(session.spark, settings, driver) as query:
                driver.read()
                wait_s = FIRST_RETRY_S
                watch(query, driver, health, stop)
        except Fenced as error:
            log.error("fenced", detail=str(error))
            heartbeat.stop()
            return FENCED
        except Stopped:
            break
        except (*AWAY, KafkaException, Unfetched, LedgerMoved, StreamingQueryException) as error:
            health.say("retrying", f"the stream starts again in {wait_s:.0f} s: {first_line(error)}")
            log.warning("restarting", error=str(error), retry_s=wait_s)
            stop.wait(wait_s)
            wait_s = min(wait_s * 2, LAST_RETRY_S)
        finally:
            driver.close()
    heartbeat.stop()
    log.info("stopped")
    return 0


def warm_up(settings: Settings) -> None:
    """Has the kernel and the scan compiled; small batches are scanned by this process."""
    recompute.warm_up(settings.chosen)
    list(fetch.warm_up())


def wait_for_lock(heartbeat: Heartbeat, stop: threading.Event, log: structlog.stdlib.BoundLogger) -> None:
    """Takes the query's lock, waiting for a database that is away. Raises `Fenced` when another driver holds it."""
    while not stop.is_set():
        try:
            heartbeat.take_lock()
            return
        except AWAY as error:
            log.warning("database_away", error=str(error).strip())
            stop.wait(LAST_RETRY_S / 5)


@contextmanager
def begun(spark: SparkSession, settings: Settings, driver: Driver) -> Iterator[StreamingQuery]:
    """The query, from where the ledger stands, until it is left. Its checkpoint is new each time: the ledger alone remembers."""
    checkpoints = settings.home.absolute() / "checkpoints"
    shutil.rmtree(checkpoints, ignore_errors=True)
    checkpoint = checkpoints / str(driver.epoch)
    # Two sources, so that history has a cap of its own and cannot delay what happens now.
    events = source(spark, settings, driver.positions, (EVENTS.name,), settings.max_events)
    history = source(spark, settings, driver.positions, (HISTORY.name, DEAD_LETTERS.name), settings.max_history)
    writer = events.unionByName(history).writeStream.queryName("stream").foreachBatch(driver.handle)
    query = writer.options(checkpointLocation=checkpoint.as_uri(), **UNLOGGED).start()
    assert driver.planned is not None  # noqa: S101  (claim() makes it)
    driver.planned.query.set_result(query)
    try:
        yield query
    finally:
        driver.finish()
        with jvm_may_be_gone():
            query.stop()


def source(
    spark: SparkSession, settings: Settings, positions: Positions, names: tuple[str, ...], most_records: int
) -> DataFrame:
    """A Kafka source of some topics. It plans batches, and what it would read is not asked for: one column is enough."""
    starting: dict[str, dict[str, int]] = {}
    for name in names:
        for (topic, partition), at in positions.items():
            if topic == TOPIC_CODES[name]:
                starting.setdefault(settings.topic_prefix + name, {})[str(partition)] = at.next_offset
    reader = spark.readStream.format("kafka").options(
        **{
            "kafka.bootstrap.servers": settings.kafka_bootstrap,
            "subscribe": ",".join(settings.topic_prefix + name for name in names),
            "startingOffsets": json.dumps(starting),
            "maxOffsetsPerTrigger": str(most_records),
            # A range that is gone must not stop the stream: who fetches it sees that, and it is written down.
            "failOnDataLoss": "false",
        }
    )
    return reader.load().select("partition")


def watch(query: StreamingQuery, driver: Driver, health: Health, stop: threading.Event) -> None:
    """Waits until the query ends or has to; what ended it is raised as what it is, not as Spark's wrapping of it."""
    try:
        while not stop.is_set() and not health.fenced.is_set():
            if query.awaitTermination(0.5):  # type: ignore[arg-type]  # Spark takes parts of a second, too
                return
            driver.go_on_without_batches()
    except StreamingQueryException:
        if driver.failure is not None:
            raise driver.failure from None
        raise
    if health.fenced.is_set():
        raise Fenced("another driver holds the query's lock")


def first_line(error: Exception) -> str:
    return str(error).strip().split("\n", 1)[0][:200]
