"""What exactly-once costs: the ledger's share of the transaction's time.

    python -m bench.ledger [--rate 10000] [--symbols 500] [--batches 400] [--every-ms 120] [--runs 5]

Batches of seeded trades are folded and written as the stream does (bench.engine), durably. Every second one goes without the
ledger's compare-and-set. Printed are the share of the time from the transaction's first statement to COMMIT's answer that the
driver waits for the ledger, and the medians with and without it, which also hold what the ledger adds to COMMIT.
"""

import statistics
from dataclasses import dataclass, field

from bench.engine import Engine
from bench.fold import records
from bench.kit import arguments, end_cleanly, load, running_parts

AIM = 0.05
WARM = 0.25  # of the batches, not counted


@dataclass
class Found:
    """Milliseconds of each transaction."""

    ledger: list[float] = field(default_factory=list)
    with_it: list[float] = field(default_factory=list)
    without: list[float] = field(default_factory=list)

    @property
    def share(self) -> float:
        return sum(self.ledger) / sum(self.with_it)


def run(engine: Engine, begin: int, batches: int, rate: int, every_ms: int) -> Found:
    found = Found()
    for number in range(begin, begin + batches):
        with_ledger = number % 2 == 0
        timing = engine.step(records(number, rate, engine.symbols, every_ms), with_ledger=with_ledger)
        if number - begin < batches * WARM:
            continue
        if with_ledger:
            found.ledger.append(timing.ledger_s * 1e3)
            found.with_it.append(timing.all_s * 1e3)
        else:
            found.without.append(timing.all_s * 1e3)
    return found


def main() -> None:
    parser = arguments(__doc__)
    parser.add_argument("--rate", type=int, default=10_000, help="trades a second")
    parser.add_argument("--symbols", type=int, default=500)
    parser.add_argument("--batches", type=int, default=400, help="a run")
    parser.add_argument("--every-ms", type=int, default=120, help="a batch's time")
    options = parser.parse_args()
    end_cleanly()
    runs = []
    with running_parts(with_kafka=False) as parts, parts.database() as database:
        engine = Engine(database, options.symbols, bars=64)
        for number in range(options.runs):
            begin = 1 + number * options.batches
            runs.append(run(engine, begin, options.batches, options.rate, options.every_ms))
            print(f"run {number + 1}: {runs[-1].share:.2%} of the transaction's time", flush=True)
        engine.close()
    share = statistics.median(found.share for found in runs)
    print(f"\nmedians of {options.runs}; {options.rate} trades/s, {options.symbols} symbols; load average {load()}")
    for name in ("ledger", "with_it", "without"):
        ms = statistics.median(statistics.median(getattr(found, name)) for found in runs)
        print(f"  {name.replace('_it', ' it'):<10}{ms:8.2f} ms")
    print(f"  aim: at most {AIM:.0%} of the transaction: {'met' if share <= AIM else 'missed'} ({share:.2%})")


if __name__ == "__main__":
    main()
