"""How fast a backfill is behind the provider: from an answer received to its bars acknowledged by Kafka.

    python -m bench.backfill [--symbols 3] [--runs 3]

The simulated exchange answers ingestion's own provider (a week of minutes, 5 and 15 minutes, hours and days of each symbol); a
broker takes the bars. What passes between a request and its answer is left out: that is the provider's time. Counted are parsing by
yfinance, records, validation, encoding, sending, and at the end the wait until the broker has all of them.
"""

import json
import os
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

from bench.kit import arguments, end_cleanly, load
from tests import embedded
from tests.embedded import REPO
from tests.stream.faulty_exchange import running_exchange

SYMBOLS = ("AAPL", "MSFT", "AMZN", "GOOGL", "NVDA", "META", "TSLA", "JPM")
DAY_MS = 86_400_000
WINDOWS = (("1m", 6), ("1m", 6), ("5m", 58), ("15m", 58), ("1h", 728), ("1d", None))
AIM = 20_000


def work(bootstrap: str, prefix: str, symbols: list[str]) -> dict[str, float]:
    """In a process whose environment points yfinance at the exchange."""
    from ingestion.history.garbage_collection import leave_imports_alone
    from ingestion.providers import yahoo
    from ingestion.publisher import Publisher
    from ingestion.records.rows import records_of
    from ingestion.records.splits import SplitFactors
    from ingestion.requesting.budget import Budget
    from ingestion.requesting.gated_session import GatedSession

    class Noting(GatedSession):
        received_s = received_cpu_s = 0.0

        def request(self, *given: Any, **named: Any) -> Any:
            response = super().request(*given, **named)
            self.received_s, self.received_cpu_s = time.perf_counter(), time.process_time()
            return response

    folder = Path(tempfile.mkdtemp())
    provider = yahoo.Yahoo(folder, Budget(folder / "budget.json", 100_000))
    provider._session = session = Noting(provider._session.budget)
    publisher = Publisher(bootstrap, prefix, 64, "bench-backfill")
    leave_imports_alone()
    bars, seconds, cpu_s = 0, 0.0, 0.0
    for symbol in symbols:
        instrument = provider.describe(symbol)
        for timeframe, days in WINDOWS:
            start_ms = None if days is None else int(time.time() * 1000) - days * DAY_MS
            answer = provider.history(symbol, timeframe, start_ms, None)
            records = records_of(answer, instrument, timeframe, "simulator", SplitFactors(answer.splits))
            publisher.send_all([*records.actions, *records.bars, *records.dead_letters], history=True)
            bars += len(records.bars)
            seconds += time.perf_counter() - session.received_s
            cpu_s += time.process_time() - session.received_cpu_s
    begun_s, begun_cpu_s = time.perf_counter(), time.process_time()
    publisher.flush(120.0)
    seconds += time.perf_counter() - begun_s
    cpu_s += time.process_time() - begun_cpu_s
    return {"bars": bars, "seconds": seconds, "cpu_s": cpu_s}


def main() -> None:
    parser = arguments(__doc__, runs=3)
    parser.add_argument("--symbols", type=int, default=3)
    parser.add_argument("--work", nargs=2, metavar=("BOOTSTRAP", "PREFIX"))
    options = parser.parse_args()
    symbols = list(SYMBOLS[: options.symbols])
    if options.work:
        bootstrap, prefix = options.work
        print(json.dumps(work(bootstrap, prefix, symbols)))
        return
    end_cleanly()
    found = []
    with embedded.temporary_home() as home, running_exchange("--requests-per-minute", "100000") as exchange:
        java = embedded.find_test_java(home)
        with embedded.running_kafka(home, java) as node:
            for number in range(options.runs):
                prefix = embedded.create_topics(node.bootstrap, "bench")
                command = [sys.executable, "-W", "ignore", "-m", "bench.backfill", "--symbols", str(options.symbols)]
                environment = os.environ | exchange.environment()
                said = subprocess.run(
                    [*command, "--work", node.bootstrap, prefix],
                    cwd=REPO, env=environment, stdout=subprocess.PIPE, text=True, check=True,
                )  # fmt: skip
                found.append(json.loads(said.stdout.splitlines()[-1]))
                one = found[-1]
                print(f"run {number + 1}: {one['bars']} bars, {one['bars'] / one['seconds']:,.0f} a second", flush=True)
    rate = statistics.median(one["bars"] / one["seconds"] for one in found)
    cpu = statistics.median(one["bars"] / one["cpu_s"] for one in found)
    print(
        f"\nfrom an answer received to Kafka's acknowledgement: {rate:,.0f} bars a second; {cpu:,.0f} a processor second"
    )
    print(f"aim: at least {AIM:,}: {'met' if rate >= AIM else 'missed'}; load average {load()}")


if __name__ == "__main__":
    main()
