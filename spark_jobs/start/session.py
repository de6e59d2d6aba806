"""Spark's session, made and warmed in a thread of its own while the driver imports, connects and reads what it must know."""

import importlib
import sys
import threading
from collections.abc import Callable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import contextmanager

import structlog
from py4j.java_gateway import JavaGateway
from py4j.protocol import Py4JError
from pyspark.java_gateway import ensure_callback_server_started
from pyspark.sql import SparkSession


class Session:
    """`spark` is made at once; a context manager, which waits for what it began. `stop` is set by a signal to end."""

    def __init__(self, app_name: str) -> None:
        self.stop = threading.Event()
        import_without_pandas()
        self._threads = ThreadPoolExecutor(1, thread_name_prefix="session")
        self._made: Future[SparkSession] = self._threads.submit(make, app_name)
        self._threads.submit(lambda: hand_over_signals(self._made.result(), self.stop.set))
        self._threads.submit(lambda: warm(self._made.result()))

    @property
    def spark(self) -> SparkSession:
        """The session, as soon as it is there. Raises what its making raised."""
        return self._made.result()

    def __enter__(self) -> "Session":
        return self

    def __exit__(self, *_: object) -> None:
        self._threads.shutdown(cancel_futures=True)
        with jvm_may_be_gone():
            self.spark.stop()


@contextmanager
def jvm_may_be_gone() -> Iterator[None]:
    """Around stopping: who ends the process group ends the JVM too, which may be gone before us; nothing is left to stop then."""
    try:
        yield
    except (Py4JError, ConnectionError):
        structlog.get_logger().info("jvm_ended_first")


def import_without_pandas() -> None:
    """For each argument of a call to the JVM pyspark asks its test utilities whether NumPy is there. They look for pandas, too, by
    importing it: a second in which the JVM waits for its session. No other thread may run, for one could need pandas now."""
    if "pandas" not in sys.modules:
        sys.modules["pandas"] = None  # type: ignore[assignment]
        try:
            importlib.import_module("pyspark.testing.utils")
        finally:
            del sys.modules["pandas"]


def make(app_name: str) -> SparkSession:
    usual_s = sys.getswitchinterval()
    # It is made in hundreds of small calls to the JVM, and after each its thread would wait 5 ms for one that imports.
    sys.setswitchinterval(usual_s / 10)
    try:
        spark = SparkSession.builder.appName(app_name).getOrCreate()
        spark.sparkContext.setLogLevel("WARN")
    finally:
        sys.setswitchinterval(usual_s)
    return spark


class SignalHandler:
    """What the JVM calls for a signal, in place of what it would do itself."""

    def __init__(self, do: Callable[[], None]) -> None:
        self._do = do

    def handle(self, _: object) -> None:
        self._do()

    class Java:
        implements = ("sun.misc.SignalHandler",)


def hand_over_signals(spark: SparkSession, do: Callable[[], None]) -> None:
    """Told to end, the JVM would take the session away in the middle of a batch. The driver ends it when the batch is done, and the
    JVM ends with the driver."""
    gateway: JavaGateway = spark.sparkContext._gateway
    ensure_callback_server_started(gateway)  # type: ignore[no-untyped-call]
    sun = gateway.jvm.sun.misc
    for name in ("TERM", "INT"):
        sun.Signal.handle(sun.Signal(name), SignalHandler(do))


def warm(spark: SparkSession) -> None:
    """One scan of nothing: the first batch then finds the planner loaded, the code generated and the Python workers there."""
    # What scans is imported while the JVM makes the session, not before.
    from spark_jobs.scan.fetch import warm_up
    from spark_jobs.scan.partials import PACKED_DDL

    cores = spark.sparkContext.defaultParallelism
    spark.range(0, cores, 1, cores).mapInArrow(warm_up, PACKED_DDL).toArrow()
