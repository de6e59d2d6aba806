"""The same job on a standalone cluster by `--master` alone, and a topic that grows by the drain of docs/scaling.md."""

import contextlib
import os
import signal
import subprocess
from collections.abc import Iterable, Iterator
from itertools import chain
from pathlib import Path

import psutil
import pytest
from confluent_kafka import Producer

from market.timeframes import MINUTE_MS
from market.topics import EVENTS, TOPICS
from stack.chaos.compare import compare
from stack.chaos.feed import Feed, Sent
from stack.chaos.job import Job
from stack.chaos.parts import Parts
from stack.chaos.run import SETTLING
from stack.growth import add_partitions, ends, wait_until_drained
from stack.parts.topics import ensure_topics
from stack.ports import HOST, free_port
from tests.stream.rig import until
from tests.stream.test_outages import START_MS

# Two minutes of two cores: a cluster beside everything else.
pytestmark = [pytest.mark.stream, pytest.mark.long]

SYMBOLS = tuple(f"CH{k:02d}" for k in range(12))
BEFORE, AFTER = range(25), range(25, 45)  # minutes of the market
GROWN = 4
FEED = Feed(3, START_MS, SYMBOLS)


class Cluster:
    """A master and two workers of one core each, as processes of this machine."""

    def __init__(self, parts: Parts, folder: Path) -> None:
        self.url = f"spark://{HOST}:{free_port()}"
        self.folder = folder
        self.environment = parts.spark
        self.processes: list[subprocess.Popen[bytes]] = []
        port = self.url.rpartition(":")[2]
        self._start("org.apache.spark.deploy.master.Master", "--host", HOST, "--port", port)
        master = psutil.Process(self.processes[0].pid)
        until(lambda: any(at.laddr.port == int(port) for at in master.net_connections()), "the master's port")
        for number in (1, 2):
            own = ["--cores", "1", "--memory", "1g", "--host", HOST, "--work-dir", str(folder / f"work-{number}")]
            self._start("org.apache.spark.deploy.worker.Worker", *own, self.url)

    def _start(self, main_class: str, *arguments: str) -> None:
        program = Path(self.environment["SPARK_HOME"]) / "bin" / "spark-class"
        with (self.folder / "cluster.log").open("ab") as out:
            self.processes.append(
                subprocess.Popen(
                    [str(program), main_class, "--webui-port", str(free_port()), *arguments],
                    env=self.environment,
                    stdout=out,
                    stderr=subprocess.STDOUT,
                    start_new_session=True,
                )
            )

    @property
    def workers(self) -> list[psutil.Process]:
        return [psutil.Process(process.pid) for process in self.processes[1:]]

    def stop(self) -> None:
        for process in reversed(self.processes):
            below = psutil.Process(process.pid).children(recursive=True) if process.poll() is None else []
            os.killpg(process.pid, signal.SIGKILL)
            process.wait()
            for child in below:
                with contextlib.suppress(psutil.NoSuchProcess):
                    child.kill()


@pytest.fixture
def cluster(chaos_parts: Parts, tmp_path: Path) -> Iterator[Cluster]:
    running = Cluster(chaos_parts, tmp_path)
    yield running
    running.stop()


def pour(parts: Parts, prefix: str, records: Iterable[Sent], partitions: int) -> None:
    """The feed's records into the log."""
    producer = Producer({"bootstrap.servers": parts.node.bootstrap, "partitioner": "murmur2_random", "linger.ms": 5})
    for sent in records:
        for place in [{"partition": p} for p in range(partitions)] if sent.is_clock else [{}]:
            producer.produce(sent.topic.full_name(prefix), sent.value, sent.key.encode(), **place)
        producer.poll(0)
    assert producer.flush(30) == 0


def drain(job: Job) -> None:
    for topic in TOPICS:
        wait_until_drained(job.parts.node.bootstrap, job.prefix, topic, lambda: job.stands() or {})
    until(job.is_recomputed, "nothing that waits to be recomputed")


def python_workers(process: psutil.Process) -> int:
    """Spark's Python processes below one of its JVMs: they run the scan, which folds the partial bars."""
    found = 0
    for child in process.children(recursive=True):
        # One that ends just now is none.
        with contextlib.suppress(psutil.Error):
            found += "pyspark.daemon" in " ".join(child.cmdline())
    return found


@pytest.mark.timeout(600)
def test_a_cluster_gives_what_local_gives_and_its_topic_grows_by_a_drain(chaos_parts: Parts, cluster: Cluster) -> None:
    #   partitions   2 ------------ drained | grown to 4 ------------ drained     on the cluster
    #                one run over the whole log                                   on local[2]
    prefix = f"scale.{next(chaos_parts.numbers)}."
    ensure_topics(chaos_parts.node.bootstrap, prefix)
    every_batch = {"CANDLESTREAM_EXECUTORS_FROM": "1"}
    spread = Job(chaos_parts, prefix, SYMBOLS, more=every_batch, arguments=("--master", cluster.url))
    local = Job(chaos_parts, prefix, SYMBOLS)
    try:
        spread.process.start()
        pour(chaos_parts, prefix, chain.from_iterable(map(FEED.minute, BEFORE)), EVENTS.partitions)
        drain(spread)
        assert [python_workers(worker) > 0 for worker in cluster.workers] == [True, True]
        assert python_workers(psutil.Process(spread.process.pid)) == 0

        add_partitions(chaos_parts.node.bootstrap, prefix, EVENTS, GROWN)
        pour(chaos_parts, prefix, chain.from_iterable(map(FEED.minute, AFTER)), GROWN)
        assert len(ends(chaos_parts.node.bootstrap, prefix, EVENTS)) == GROWN
        drain(spread)

        local.process.start()
        for minutes in SETTLING:
            pour(chaos_parts, prefix, [FEED.clock(START_MS + (AFTER.stop + minutes) * MINUTE_MS)], GROWN)
            drain(spread)
            drain(local)
        assert spread.process.is_alive
    finally:
        spread.process.stop()
        local.process.stop()
    verdict = compare(spread.url, local.url)
    assert verdict.is_equal, [example for table in verdict.tables for example in table.examples]
    assert verdict.trades > 4_000
