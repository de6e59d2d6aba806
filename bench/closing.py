"""How soon a minute's bar is closed in PostgreSQL from ticks alone, and what a crowd of symbols takes.

    python -m bench.closing [--symbols 5] [--minutes 3] [--polls 0]

The simulated exchange around the clock, `ingestion live`, Kafka and the stream, each a process, no history. Each minute's bars are
looked for every 50 ms until every symbol that traded has a closed one; no poll runs unless `--polls` asks for some at the end, so
that ticks alone close them. Printed: seconds after the minute's end, resident memory of the live service and of a poll at their
largest, and the poll's own figures under the default budget of 60 requests a minute.
"""

import argparse
import json
import os
import resource
import subprocess
import sys
import time

import numpy as np
import psutil
import psycopg2

from bench.kit import end_cleanly, load
from market.timeframes import MINUTE_MS
from simulator.listings import read_listings
from stack.chaos.parts import running_parts
from tests.embedded import REPO, jar_home
from tests.stream.bad_day.side import AROUND_THE_CLOCK, Side

AIM_S = 2.0
LOOK_S = 0.05
# A minute whose bars are not all closed by then is counted with this.
LONGEST_S = 50.0


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--symbols", type=int, default=5)
    parser.add_argument("--minutes", type=int, default=3)
    parser.add_argument("--polls", type=int, default=0)
    options = parser.parse_args()
    end_cleanly()
    stocks = [
        listing.symbol for listing in read_listings().values() if listing.currency == "USD" and listing.has_volume
    ]
    symbols = tuple(stocks[: options.symbols])
    with running_parts(jar_home()) as parts:
        side = Side("bench", parts, symbols, AROUND_THE_CLOCK)
        try:
            side.start_stream()
            side.start()
            measure(side, options.minutes)
            for _ in range(options.polls):
                poll(side)
        finally:
            side.stop()
    print(f"load average {load()}")


def measure(side: Side, minutes: int) -> None:
    live = psutil.Process(side.ingester.pid)
    connection = psycopg2.connect(side.url)
    connection.autocommit = True
    first_ms = (int(time.time() * 1000) // MINUTE_MS + 2) * MINUTE_MS
    delays: list[float] = []
    for minute_ms in range(first_ms, first_ms + minutes * MINUTE_MS, MINUTE_MS):
        end_s = minute_ms / 1000 + 60
        time.sleep(max(0.0, end_s - time.time()))
        closed: dict[str, float] = {}
        known = 0
        while time.time() < end_s + LONGEST_S:
            with connection.cursor() as cursor:
                cursor.execute(
                    "SELECT symbol, is_closed FROM v1.bars WHERE timeframe = '1m' AND ts = to_timestamp(%s)",
                    (minute_ms / 1000,),
                )
                rows = cursor.fetchall()
            known, now_s = len(rows), time.time()
            for symbol, is_closed in rows:
                if is_closed:
                    closed.setdefault(symbol, now_s - end_s)
            if known and len(closed) == known:
                break
            time.sleep(LOOK_S)
        delays += [*closed.values(), *[LONGEST_S] * (known - len(closed))]
        print(
            f"minute {minute_ms}: {len(closed)} of {known} bars closed, the last after {max(closed.values(), default=0):.2f} s",
            flush=True,
        )
    p50, p95 = np.percentile(delays, [50, 95])
    verdict = "met" if p95 <= AIM_S else "missed"
    print(
        f"{len(delays)} bars closed from ticks: p50 {p50:.2f} s, p95 {p95:.2f} s after their minute; aim {AIM_S:.0f} s: {verdict}"
    )
    cpu, resident = live.cpu_times(), live.memory_info().rss / 2**20
    print(f"live: {resident:.0f} MiB resident, {(cpu.user + cpu.system):.0f} s of processor time since its start")


def poll(side: Side) -> None:
    ended = subprocess.run(
        [sys.executable, "-m", "ingestion", "poll", "--deadline", "45"],
        cwd=REPO, env=os.environ | side.environment, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True, check=False,
    )  # fmt: skip
    summary = json.loads(ended.stdout.splitlines()[-1])
    largest = resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss / 1024
    wanted = ("symbols", "minutes_between", "requests", "rows", "bars", "postponed", "seconds", "error")
    print(
        "poll:",
        {name: summary[name] for name in wanted},
        f"at most {largest:.0f} MiB resident (any child so far)",
        flush=True,
    )


if __name__ == "__main__":
    main()
