"""What the live feed and the poll cost at rest, and how soon the provider's word on a minute is in Kafka.

    python -m bench.polling [--minutes 3] [--symbols 5] [--home HOME]

On a platform of its own, fed by the simulated exchange, or with `--home` on one that runs already. Counts processor seconds of the
live service and of the poll's command (ended processes included), of Airflow's processes beside it and of all, with their memory
(proportional set size) at the end; and reads from the events topic, for each minute of each symbol that ended meanwhile, how long
after its end the first complete bar of the provider was in Kafka.
"""

import argparse
import statistics
import tempfile
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from pathlib import Path

import psutil
from confluent_kafka import OFFSET_END, Consumer, TopicPartition

from bench.kit import ask, end_cleanly, load
from bench.up import command
from market.contracts import Bar, decode
from market.errors import Rejected
from market.timeframes import MINUTE_MS
from market.topics import EVENTS
from simulator.listings import read_listings
from stack.home import open_home
from stack.passwords import WRITER
from stack.platform import Platform, open_platform
from stack.supervision.leftovers import of_home

LOOK_EVERY_S = 0.2
# A first start's backfill and compilers are not rest.
SETTLE_S = 60.0
AIM_CORES = 0.15

Part = str
PARTS = ("live", "poll", "airflow", "other")


def part_of(words: list[str]) -> Part:
    """Which part of the platform a command line belongs to."""
    line = " ".join(words)
    if "-m ingestion live" in line:
        return "live"
    if "-m ingestion poll" in line:
        return "poll"
    # Its processes name themselves "airflow worker", "airflow task runner" and the like.
    return "airflow" if line.startswith("airflow ") or "/bin/airflow " in line else "other"


@dataclass
class Spending:
    """Processor seconds by process, looked at so often that a process that ends is missed by a fifth of a second at most."""

    processes: Callable[[], list[psutil.Process]]
    first: dict[tuple[int, float], float] = field(default_factory=dict)
    last: dict[tuple[int, float], float] = field(default_factory=dict)
    part: dict[tuple[int, float], Part] = field(default_factory=dict)
    began_s: float = field(default_factory=time.time)

    def look(self) -> None:
        for process in self.processes():
            with suppress(psutil.Error):
                born = process.create_time()
                key = (process.pid, born)
                used = sum(process.cpu_times()[:2])
                # What was born meanwhile has spent all of it meanwhile.
                self.first.setdefault(key, 0.0 if born > self.began_s else used)
                self.last[key] = used
                # A process that was forked bears another's line until it runs its own.
                self.part[key] = part_of(process.cmdline())

    def of(self, part: Part) -> float:
        return sum(self.last[key] - self.first[key] for key, name in self.part.items() if name == part)

    def memory_mb(self, part: Part) -> float:
        total = 0
        for (pid, born), name in self.part.items():
            with suppress(psutil.Error):
                process = psutil.Process(pid)
                total += process.memory_full_info().pss if name == part and process.create_time() == born else 0
        return total / 1e6


class Confirmations(threading.Thread):
    """Reads the events topic from its end; `seconds` has, by (symbol, minute), how long after the minute its bar came."""

    def __init__(self, platform: Platform, since_ms: int) -> None:
        super().__init__(daemon=True)
        self._since_ms = since_ms
        self._stopped = threading.Event()
        self.seconds: dict[tuple[str, int], float] = {}
        self._consumer = Consumer({"bootstrap.servers": platform.kafka().bootstrap, "group.id": "bench-polling"})
        topic = EVENTS.full_name(platform.state.topic_prefix)
        self._consumer.assign([TopicPartition(topic, number, OFFSET_END) for number in range(EVENTS.partitions)])

    def run(self) -> None:
        while not self._stopped.is_set():
            message = self._consumer.poll(0.5)
            if message is None or message.error():
                continue
            with suppress(Rejected):
                self._note(decode(message.value() or b""), message.timestamp()[1])
        self._consumer.close()

    def _note(self, record: object, at_ms: int) -> None:
        if not isinstance(record, Bar) or record.timeframe != "1m" or not record.is_complete:
            return
        ended_ms = record.event_ms + MINUTE_MS
        if record.session == "regular" and ended_ms >= self._since_ms:
            self.seconds.setdefault((record.symbol, record.event_ms), (at_ms - ended_ms) / 1000)

    def stop(self) -> None:
        self._stopped.set()
        self.join(10)


@contextmanager
def a_platform(chosen: Path | None, symbols: int) -> Iterator[Platform]:
    """The platform of a home, or one that is made for this and thrown away."""
    if chosen is not None:
        yield open_platform(open_home(chosen))
        return
    with tempfile.TemporaryDirectory(prefix="candlestream-bench-") as folder:
        Path(folder).chmod(0o755)
        home = Path(folder) / "home"
        try:
            command(home, "up", "--source", "simulator")
            platform = open_platform(open_home(home))
            track(platform, symbols)
            print(f"up; {SETTLE_S:.0f} s until it is at rest", flush=True)
            time.sleep(SETTLE_S)
            yield platform
        finally:
            command(home, "down")


def track(platform: Platform, symbols: int) -> None:
    """So many tracked symbols of the exchange that the first start has; described already, without history."""
    url = f"{platform.database_url(WRITER)}?passfile={platform.home.pgpass}"
    [[count]] = ask(url, "SELECT count(*) FROM core.instruments WHERE tracked")
    missing = symbols - int(str(count))
    if missing <= 0:
        return
    names = [listing.symbol for listing in read_listings().values() if listing.kind == "EQUITY"]
    ask(
        url,
        "INSERT INTO core.instruments (symbol, name, instrument_type, exchange, calendar, timezone, currency, price_precision,"
        " has_volume, state, source, tracked, history_at)"
        " SELECT n, n, instrument_type, exchange, calendar, timezone, currency, price_precision, has_volume, 'ok', source, true,"
        " now()"
        " FROM unnest(%s::text[]) AS n, (SELECT * FROM core.instruments WHERE state = 'ok' LIMIT 1) AS like_this"
        " ON CONFLICT DO NOTHING",
        (names[: missing + 5],),
    )


def quantile(values: list[float], share: float) -> float:
    ordered = sorted(values)
    return ordered[min(len(ordered) - 1, int(share * len(ordered)))]


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--minutes", type=float, default=3.0, help="how long to look")
    parser.add_argument("--symbols", type=int, default=5, help="tracked symbols of a platform of its own")
    parser.add_argument("--home", type=Path, help="of a platform that runs")
    options = parser.parse_args()
    end_cleanly()
    with a_platform(options.home, options.symbols) as platform:
        measure(platform, options.minutes * 60)


def measure(platform: Platform, seconds: float) -> None:
    spending = Spending(lambda: of_home(platform.home))
    confirmations = Confirmations(platform, int(time.time() * 1000))
    confirmations.start()
    began = time.monotonic()
    while time.monotonic() - began < seconds:
        spending.look()
        time.sleep(LOOK_EVERY_S)
    passed = time.monotonic() - began
    confirmations.stop()
    print(f"\n{passed:.0f} s; load average {load()}")
    print(f"{'':<10}{'cores':>8}{'s/min':>8}{'MB':>8}")
    for part in PARTS:
        used = spending.of(part)
        print(f"{part:<10}{used / passed:>8.3f}{used / passed * 60:>8.2f}{spending.memory_mb(part):>8.0f}")
    both = (spending.of("live") + spending.of("poll")) / passed
    print(f"aim: live and poll under {AIM_CORES} cores: {'met' if both < AIM_CORES else 'missed'} ({both:.3f})")
    waits = list(confirmations.seconds.values())
    if waits:
        print(
            f"{len(waits)} minutes of {len({symbol for symbol, _ in confirmations.seconds})} symbols confirmed: after"
            f" {statistics.median(waits):.0f} s (median), {quantile(waits, 0.95):.0f} s (p95), {max(waits):.0f} s at most"
        )


if __name__ == "__main__":
    main()
