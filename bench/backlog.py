"""A backlog worked off by the stream and by its peers: the same trades in the same topic, in turn, on this machine's cores.

    python -m bench.backlog [--trades 2000000] [--symbols 500] [--rate 10000] [--runs 5] [--ways stream,loop,…]

    stream    the job as it ships: bars of eight timeframes, all indicators, latest prices, quality, offsets in the same transaction
    loop, loop x2     confluent-kafka + orjson + dict, one process and one a partition (bench/peers/loop.py): minute bars alone
    loop poll         the same, one process, record by record as tutorials write it, not in batches
    quix, quix x2     Quix Streams with RocksDB state and its PostgreSQL sink (bench/peers/quix.py): closed minute bars alone
    quix windows      the same, one process, by its own windows, which take longer than a stateful function

Everybody's rate is taken the same way: committed offsets are watched, and counted is from the first commit (starts and compilers
are before it) to the last but one (after the last trade some wait for a timer). Every minute bar of the peers is then compared
with the stream's: a way that counts other bars would not be a comparison. Beside the rates stands the processor time a record that
each way's own processes took, which bears a busy machine better.
"""

import itertools
import signal
import statistics
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, ExitStack, contextmanager
from dataclasses import dataclass, field
from pathlib import Path

import psycopg2
from confluent_kafka import Consumer, TopicPartition

from bench.drain import fill
from bench.kit import Aim, Parts, arguments, ask, end_cleanly, interleaved, report, running_parts
from bench.latency import add_instruments
from bench.peers.environments import HERE, quix_python
from bench.watching import steady, watch
from market.topics import EVENTS
from stack.passwords import ADMIN_ROLE
from stack.ports import HOST
from tests import embedded
from tests.embedded import Database
from tests.stream.rig import Rig, rig

RATE_AIM = 350_000
MINUTES = """SELECT symbol, (extract(epoch FROM ts) * 1000)::bigint, open, high, low, close, ticks FROM v1.bars
             WHERE timeframe = '1m'"""
PEER_MINUTES = "SELECT symbol, ts_ms, open, high, low, close, ticks FROM public.bars"
PEER_TABLE = """CREATE TABLE public.bars (symbol text, ts_ms bigint, open float8, high float8, low float8, close float8,
                                   volume float8, ticks bigint, PRIMARY KEY (symbol, ts_ms))"""

Minutes = dict[tuple[str, int], tuple[object, ...]]


@dataclass
class Bench:
    """The backlog, and who works it off."""

    parts: Parts
    prefix: str
    symbols: int
    environment: dict[str, str]
    trades: int
    ends: dict[int, int] = field(default_factory=dict)  # partition → end offset
    minutes: Minutes = field(default_factory=dict)  # as the stream had them
    used_us: dict[str, list[float]] = field(default_factory=dict)  # way → processor microseconds a record
    numbers: Iterator[int] = field(default_factory=lambda: itertools.count(1))

    @property
    def topic(self) -> str:
        return EVENTS.full_name(self.prefix)

    def stream(self) -> float:
        with self.parts.database() as database, self.rig(database) as under_test:
            add_instruments(under_test, self.symbols)
            connection = psycopg2.connect(database.admin)
            connection.autocommit = True

            def committed() -> int:
                with connection.cursor() as cursor:
                    cursor.execute(
                        "SELECT coalesce(sum(next_offset), 0) FROM core.stream_offsets WHERE topic = %s", (EVENTS.name,)
                    )
                    return int(cursor.fetchone()[0])

            under_test.start()
            assert under_test.process is not None
            rate = self.measure("stream", committed, [under_test.process], under_test.log)
            connection.close()
            under_test.signal(signal.SIGTERM)
            self.minutes = minutes(database, MINUTES)
        counted = sum(int(str(row[-1])) for row in self.minutes.values())
        if counted != self.trades:
            raise SystemExit(f"the stream counts {counted} of {self.trades} trades")
        return rate

    def loop(self, way: str, processes: int, how: str = "batches") -> float:
        shares = [list(self.ends)[k::processes] for k in range(processes)]

        def commands(database: Database, group: str) -> list[list[str]]:
            script = [sys.executable, str(HERE / "loop.py"), how, self.parts.bootstrap, self.topic]
            return [[*script, ",".join(map(str, share)), group, database.admin, "public.bars"] for share in shares]

        return self.peer(way, commands, is_complete=True)

    def quix(self, way: str, processes: int, how: str = "state") -> float:
        python = quix_python()

        def commands(database: Database, group: str) -> list[list[str]]:
            place = [HOST, str(database.port), database.name, ADMIN_ROLE, "bars"]
            state = str(self.parts.home.data / group)
            script = [str(python), str(HERE / "quix.py"), how, self.parts.bootstrap, self.topic, group, state, *place]
            return [script] * processes

        return self.peer(way, commands, is_complete=False)

    def peer(self, way: str, commands: Callable[[Database, str], list[list[str]]], *, is_complete: bool) -> float:
        """A peer's rate; checks its bars against the stream's (`is_complete`: forming ones, too)."""
        group = f"peer-{next(self.numbers)}"
        with self.parts.database() as database, ExitStack() as stack:
            ask(database.admin, PEER_TABLE)
            consumer = Consumer({"bootstrap.servers": self.parts.bootstrap, "group.id": group})
            stack.callback(consumer.close)
            places = [TopicPartition(self.topic, partition) for partition in self.ends]

            def committed() -> int:
                return sum(max(0, place.offset) for place in consumer.committed(places, timeout=10))

            log = self.parts.home.logs / f"{group}.log"
            running = [stack.enter_context(process(command, log)) for command in commands(database, group)]
            rate = self.measure(way, committed, running, log)
            self.compare(minutes(database, PEER_MINUTES), is_complete=is_complete)
        return rate

    def measure(
        self, way: str, committed: Callable[[], int], running: list[subprocess.Popen[bytes]], log: Path
    ) -> float:
        """Records a second; keeps the processor time a record beside it."""
        found = steady(watch(committed, sum(self.ends.values()), running, log))
        self.used_us.setdefault(way, []).append(found.used_us)
        return found.rate

    def compare(self, peer: Minutes, *, is_complete: bool) -> None:
        if not self.minutes:
            print("  (bars not compared: the stream did not run before)")
            return
        differing = [key for key, row in peer.items() if self.minutes.get(key) != row]
        missing = len(self.minutes) - len(peer)
        if differing or (is_complete and missing):
            raise SystemExit(f"{len(differing)} bars differ from the stream's, {missing} are missing: {differing[:3]}")
        print(f"  {len(peer)} minute bars are the stream's own, {missing} still open are not written")

    def rig(self, database: Database) -> AbstractContextManager[Rig]:
        return rig(database, self.parts.bootstrap, self.prefix, self.environment)


def minutes(database: Database, query: str) -> Minutes:
    return {(str(row[0]), int(str(row[1]))): row[2:] for row in ask(database.admin, query)}


@contextmanager
def process(command: list[str], log: Path) -> Iterator[subprocess.Popen[bytes]]:
    """A peer's process, ended with the way."""
    with log.open("ab") as out:
        running = subprocess.Popen(command, stdout=out, stderr=subprocess.STDOUT, stdin=subprocess.DEVNULL)
    try:
        yield running
    finally:
        running.terminate()
        try:
            running.wait(15)
        except subprocess.TimeoutExpired:
            running.kill()
            running.wait()


@contextmanager
def backlog(parts: Parts, trades: int, symbols: int, rate: int) -> Iterator[Bench]:
    """The trades in Kafka, with the clock of the market that made them."""
    prefix = embedded.create_topics(parts.bootstrap, "bench")
    environment = embedded.spark_environment(parts.home, parts.java, parts.home.pgpass)
    with parts.database() as database, rig(database, parts.bootstrap, prefix, environment) as filler:
        began = time.monotonic()
        fill(filler, trades, symbols, rate)
        ends = {partition: end for (topic, partition), end in filler.sent().items() if topic == EVENTS.name}
        print(f"{trades:,} trades of {symbols} symbols wait in {EVENTS.name}, after {time.monotonic() - began:.0f} s")
    yield Bench(parts, prefix, symbols, environment, trades, ends)


def main() -> None:
    parser = arguments(__doc__)
    parser.add_argument("--trades", type=int, default=2_000_000)
    parser.add_argument("--symbols", type=int, default=500)
    parser.add_argument("--rate", type=int, default=10_000, help="trades a second of the market that made the backlog")
    parser.add_argument(
        "--ways", default="stream,loop,loop x2,loop poll,quix,quix x2,quix windows", help="which of them, by comma"
    )
    options = parser.parse_args()
    end_cleanly()
    quix_python()
    with running_parts(with_kafka=True) as parts:
        with backlog(parts, options.trades, options.symbols, options.rate) as bench:
            ways: dict[str, Callable[[], float]] = {
                "stream": bench.stream,
                "loop": lambda: bench.loop("loop", 1),
                "loop x2": lambda: bench.loop("loop x2", 2),
                "loop poll": lambda: bench.loop("loop poll", 1, "poll"),
                "quix": lambda: bench.quix("quix", 1),
                "quix x2": lambda: bench.quix("quix x2", 2),
                "quix windows": lambda: bench.quix("quix windows", 1, "windows"),
            }
            chosen = {name: ways[name] for name in options.ways.split(",")}
            found = interleaved(chosen, options.runs)
        aims = [Aim(name, 2.5 if name.startswith("loop") else 3.5) for name in found if name != "stream"]
        report(found, "stream", "records/s", aims)
        report(bench.used_us, "stream", "processor µs a record, of the way's own processes", [])
        print(f"  aim: 350,000 records/s: {'met' if statistics.median(found['stream']) >= RATE_AIM else 'missed'}")


if __name__ == "__main__":
    main()
