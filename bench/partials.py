"""What a scan hands to the driver, in rows and bytes, as trades and symbols grow (docs/scaling.md).

`python -m bench.partials`: one partition's share of a batch, folded in this process.
"""

import random

import pyarrow as pa

from market.contracts import Tick
from market.timeframes import MINUTE_MS
from spark_jobs.scan.known import Known
from spark_jobs.scan.one_pass import EVENTS, Scan

T0_MS = 1_795_046_400_000
# Symbols, trades, and the market's time that they span in seconds.
CASES = (
    (500, 200, 0.12),
    (500, 2_000, 0.12),
    (500, 20_000, 1),
    (500, 200_000, 20),
    (500, 200_000, 600),
    (5_000, 20_000, 1),
    (5_000, 200_000, 20),
)


def records(symbols: int, trades: int, seconds: float) -> pa.RecordBatch:
    rng = random.Random(symbols)
    values = []
    for k in range(trades):
        at_ms = T0_MS + int(k / trades * seconds * 1000)
        tick = Tick(
            source="bench",
            symbol=f"S{rng.randrange(symbols):05d}",
            event_ms=at_ms,
            fetched_ms=at_ms + 40,
            price=100 + rng.randrange(1000) / 100,
            day_volume=k,
        )
        values.append(tick.encode())
    place = [pa.array([code] * trades, pa.int32()) for code in (EVENTS, 0)]
    columns = [*place, pa.array(range(trades), pa.int64()), pa.array(values, pa.binary())]
    return pa.RecordBatch.from_arrays(columns, names=["topic", "partition", "offset", "value"])


def main() -> None:
    print("| symbols | trades | market's time | minutes | records in | rows out | bytes out | trades a row |")
    print("|---|---|---|---|---|---|---|---|")
    for symbols, trades, seconds in CASES:
        batch = records(symbols, trades, seconds)
        out = list(Scan({}, "bench", Known.of([f"S{k:05d}" for k in range(symbols)]))(iter([batch])))
        rows = sum(part.num_rows for part in out) - 1  # the offset range is a row of its own
        minutes = int(seconds * 1000) // MINUTE_MS + 1
        size_in, size_out = batch["value"].nbytes, sum(part.nbytes for part in out)
        print(
            f"| {symbols:,} | {trades:,} | {seconds:g} s | {minutes} | {size_in / 1e6:.2f} MB | {rows:,} | "
            f"{size_out / 1e6:.2f} MB | {trades / rows:.1f} |"
        )


if __name__ == "__main__":
    main()
