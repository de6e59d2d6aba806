"""Trade produced to row committed, full payload, broker, database and Spark on this machine.

    python -m bench.latency [--rate 1000] [--symbols 500] [--seconds 30] [--warm-up 20]

The producer notes when each trade was handed to it, Kafka says at which offset it landed, and the stream's log says when the
transaction that holds that offset was committed. Prints p50 and p99 in milliseconds and where a batch's time goes.
"""

import argparse
import itertools
import os
import shutil
import signal
import time
from collections import defaultdict
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager, suppress
from dataclasses import dataclass, field

import numpy as np
import psutil
from confluent_kafka import KafkaError, Message

from market.contracts import Tick
from market.topics import EVENTS
from tests import embedded
from tests.stream.rig import Rig, rig, until


@dataclass(slots=True)
class Landed:
    """When each trade was produced (ns), by partition and offset."""

    at_ns: dict[tuple[int, int], int] = field(default_factory=dict)

    def note(self, produced_ns: int) -> Callable[[KafkaError | None, Message], None] | None:
        def landed(error: KafkaError | None, message: Message) -> None:
            if error is not None:
                raise RuntimeError(error)
            partition, offset = message.partition(), message.offset()
            assert partition is not None
            assert offset is not None
            self.at_ns[partition, offset] = produced_ns

        return landed


def trades(symbols: int, seed: int) -> Iterator[tuple[str, float, int]]:
    """(symbol, price, day volume) of a seeded walk over all symbols in turn."""
    random = np.random.default_rng(seed)
    prices = np.full(symbols, 100.0)
    for k in itertools.count():
        symbol = k % symbols
        prices[symbol] = round(prices[symbol] * float(np.exp(random.normal(0, 1e-4))), 2)
        yield f"S{symbol:04d}", float(prices[symbol]), k


def produce(
    under_test: Rig, landed: Landed, rate: int, source: Iterator[tuple[str, float, int]], seconds: float
) -> None:
    """Trades at a steady rate, in slices of 10 ms, with a clock record to every partition each second."""
    begin, sent, told = time.monotonic(), 0, 0.0
    while (elapsed := time.monotonic() - begin) < seconds:
        for symbol, price, volume in itertools.islice(source, max(0, int(elapsed * rate) - sent)):
            now_ns = time.time_ns()
            tick = Tick(
                source="simulator",
                symbol=symbol,
                event_ms=now_ns // 1_000_000,
                fetched_ms=now_ns // 1_000_000,
                price=price,
                day_volume=volume,
            )
            topic = EVENTS.full_name(under_test.prefix)
            under_test.producer.produce(topic, tick.encode(), key=symbol.encode(), on_delivery=landed.note(now_ns))
            sent += 1
        if elapsed - told >= 1:
            under_test.clock(time.time_ns() // 1_000_000 - 1_000)
            told = elapsed
        under_test.producer.poll(0)
        time.sleep(0.01)


def committed(under_test: Rig) -> Iterator[tuple[int, int, int, int]]:
    """(partition, first offset, last offset, committed at ns) of every batch of the events topic."""
    for entry in under_test.logged("batch"):
        for topic, partition, first, last in entry["ranges"]:
            if topic == 0:
                yield partition, first, last, entry["committed_ns"]


def latencies_ms(under_test: Rig, landed: Landed, since_ns: int) -> np.ndarray:
    values = []
    for partition, first, last, at_ns in committed(under_test):
        for offset in range(first, last + 1):
            produced_ns = landed.at_ns.get((partition, offset))
            if produced_ns is not None and produced_ns >= since_ns:
                values.append((at_ns - produced_ns) / 1e6)
    return np.array(values)


@contextmanager
def running_rig() -> Iterator[Rig]:
    """A durable database, a broker and a stream that is ready to be started, of this run's own."""
    with ExitStack() as stack:
        home = stack.enter_context(embedded.temporary_home())
        os.environ["PGPASSFILE"] = str(home.pgpass)
        java = embedded.find_test_java(home)
        server = stack.enter_context(embedded.running_postgres(home, is_durable=True))
        node = stack.enter_context(embedded.running_kafka(home, java))
        database = embedded.fresh_database(server, home.pgpass)
        prefix = embedded.create_topics(node.bootstrap, "bench")
        environment = embedded.spark_environment(home, java, home.pgpass) | {"CANDLESTREAM_LOG_LEVEL": "DEBUG"}
        yield stack.enter_context(rig(database, node.bootstrap, prefix, environment))


def add_instruments(under_test: Rig, count: int) -> None:
    """Symbols S0000, S0001, … that trade around the clock."""
    under_test.ask(
        """INSERT INTO core.instruments (symbol, calendar, timezone, currency, state, source)
           SELECT 'S' || lpad(k::text, 4, '0'), '24/7', 'UTC', 'USD', 'ok', 'simulator' FROM generate_series(0, %s - 1) k""",
        (count,),
    )


def used_s() -> dict[str, float]:
    """Processor seconds so far of everything that this run has started, by part."""
    used: dict[str, float] = defaultdict(float)
    me = psutil.Process()
    for process in [me, *me.children(recursive=True)]:
        with suppress(psutil.NoSuchProcess):
            if process.name() != "postgres":
                times = process.cpu_times()
                used[part_of(process, me)] += times.user + times.system
    # Whom PostgreSQL's launcher leaves behind is nobody's child.
    for process in psutil.process_iter():
        with suppress(psutil.NoSuchProcess):
            if process.name() == "postgres" and process.create_time() >= me.create_time():
                times = process.cpu_times()
                used["postgres"] += times.user + times.system
    return dict(used)


def part_of(process: psutil.Process, me: psutil.Process) -> str:
    if process == me:
        return "producer"
    command = " ".join(process.cmdline())
    for part, word in (("broker", "kafka.Kafka"), ("spark", "SparkSubmit"), ("workers", "pyspark.daemon")):
        if word in command:
            return part
    return "driver" if "stream.py" in command else "other"


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--rate", type=int, default=1000, help="trades a second")
    parser.add_argument("--symbols", type=int, default=500)
    parser.add_argument("--seconds", type=float, default=30.0)
    parser.add_argument("--warm-up", type=float, default=20.0, help="seconds that are produced but not counted")
    parser.add_argument("--keep-log", help="copy the stream's log here")
    options = parser.parse_args()
    # Whoever ends this run early (`timeout`) ends it as Ctrl-C does: everything that was started is stopped.
    signal.signal(signal.SIGTERM, signal.default_int_handler)
    with ExitStack() as stack:
        under_test = stack.enter_context(running_rig())
        if options.keep_log:
            stack.callback(shutil.copy, under_test.log, options.keep_log)
        add_instruments(under_test, options.symbols)
        under_test.start()
        until(lambda: under_test.logged("ledger"), "the stream's start")
        landed = Landed()
        source = trades(options.symbols, seed=1)
        produce(under_test, landed, options.rate, source, options.warm_up)
        since_ns, before = time.time_ns(), used_s()
        produce(under_test, landed, options.rate, source, options.seconds)
        after = used_s()
        under_test.drain()
        report(under_test, latencies_ms(under_test, landed, since_ns), options, since_ns)
        shares = {part: (after[part] - before.get(part, 0.0)) / options.seconds for part in sorted(after)}
        print("cores used: " + ", ".join(f"{part} {share:.2f}" for part, share in shares.items()))


def report(under_test: Rig, values: np.ndarray, options: argparse.Namespace, since_ns: int) -> None:
    batches = [b for b in under_test.logged("batch") if b["committed_ns"] >= since_ns]
    print(f"{options.rate} trades/s, {options.symbols} symbols, {len(values)} trades in {len(batches)} batches")
    print(f"produced -> committed: p50 {np.percentile(values, 50):.0f} ms, p99 {np.percentile(values, 99):.0f} ms")
    for step in ("between_s", "scan_s", "read_s", "fold_s", "write_s", "commit_s"):
        times = np.array([b[step] for b in batches]) * 1e3
        print(f"{step}: p50 {np.percentile(times, 50):.0f} ms, p99 {np.percentile(times, 99):.0f} ms")


if __name__ == "__main__":
    main()
