"""What a trade costs as symbols grow, at the same trades a second.

    python -m bench.growth [--symbols 10,100,1000,10000] [--rate 10000] [--runs 5] [--plot docs/images/growth.png]
    python -m bench.growth --job 10,1000 [--rate 2000] [--seconds 30] [--runs 5]

The first measures scan, fold and transaction in one process against a real PostgreSQL (bench.engine): processor microseconds a
trade, of this process by step and of the database's backend, over a little more than a minute of market time, so that bars close.
The second measures the whole job, broker, Spark and database, by the processor time of all its processes.
"""

import argparse
import statistics
import time
from contextlib import ExitStack, nullcontext
from pathlib import Path

import plotly.graph_objects as go

from bench import chart
from bench.engine import Engine, Spent
from bench.fold import records
from bench.kit import Parts, arguments, end_cleanly, load, running_parts
from bench.latency import Landed, add_instruments, produce, trades, used_s
from tests import embedded
from tests.stream.rig import rig, until

MARKET_S = 66.0  # of market time at each point
WARM_BATCHES = 20
# Ten thousand symbols have 90,000 series: bars in memory beyond these cost room and no time.
BARS = 24
STEPS = {"scan": "scan_s", "fold": "fold_s", "encode and send": "write_s", "PostgreSQL": "postgres_s"}

Point = dict[str, float]  # what → processor microseconds a trade


def engine_point(parts: Parts | None, symbols: int, rate: int, every_ms: int) -> Point:
    with parts.database() if parts else nullcontext() as database:
        engine = Engine(database, symbols, BARS)
        batches = int(MARKET_S * 1e3 / every_ms)
        count = 0
        for number in range(1, WARM_BATCHES + batches + 1):
            if number == WARM_BATCHES + 1:
                engine.spent = Spent()
            engine.step(records(number, rate, symbols, every_ms))
            count += rate * every_ms // 1000 if number > WARM_BATCHES else 0
        engine.close()
    return {step: getattr(engine.spent, name) * 1e6 / count for step, name in STEPS.items()}


def job_point(parts: Parts, symbols: int, rate: int, seconds: float) -> Point:
    """Of everything but the producer, between two moments of a steady market, by what was committed between them."""
    prefix = embedded.create_topics(parts.bootstrap, "growth")
    environment = embedded.spark_environment(parts.home, parts.java, parts.home.pgpass)
    with ExitStack() as stack:
        database = stack.enter_context(parts.database())
        under_test = stack.enter_context(rig(database, parts.bootstrap, prefix, environment))
        add_instruments(under_test, symbols)
        under_test.start()
        until(lambda: under_test.logged("ledger"), "the stream's start")
        landed, source = Landed(), trades(symbols, seed=1)
        query = "SELECT sum(next_offset) FROM core.stream_offsets"
        produce(under_test, landed, rate, source, seconds)
        before, from_offset = used_s(), under_test.ask(query)[0][0]
        produce(under_test, landed, rate, source, seconds)
        after, to_offset = used_s(), under_test.ask(query)[0][0]
    count = to_offset - from_offset
    return {
        part: (after[part] - before.get(part, 0.0)) * 1e6 / count
        for part in sorted(after)
        if part not in ("producer", "other")
    }


def medians(runs: list[dict[int, Point]]) -> dict[int, Point]:
    return {
        symbols: {name: statistics.median(run[symbols].get(name, 0.0) for run in runs) for name in runs[0][symbols]}
        for symbols in runs[0]
    }


def table(points: dict[int, Point]) -> str:
    """As it goes into docs/benchmarks.md: microseconds a trade."""
    names = sorted({name for point in points.values() for name in point}, key=list(points[next(iter(points))]).index)
    totals = {symbols: sum(point.values()) for symbols, point in points.items()}
    first = next(iter(totals.values()))
    lines = [f"| symbols | {' | '.join(names)} | all | to the first |", "|---" * (len(names) + 3) + "|"]
    for symbols, point in points.items():
        cells = " | ".join(f"{point.get(name, 0.0):.1f}" for name in names)
        lines.append(f"| {symbols:,} | {cells} | {totals[symbols]:.1f} | {totals[symbols] / first:.2f} × |")
    return "\n".join(lines)


def plot(points: dict[int, Point], rate: int, path: Path) -> None:
    labels = [f"{symbols:,}" for symbols in points]
    bars = [go.Bar(name=step, x=labels, y=[point[step] for point in points.values()]) for step in STEPS]
    figure = go.Figure(bars)
    figure.update_layout(
        barmode="stack",
        title={"text": f"Processor time of a trade, {rate:,} trades a second", "font": {"size": 15}},
        xaxis={"title": "symbols", "type": "category"},
        yaxis={"title": "microseconds"},
    )
    print(f"{path} written" if chart.save(figure, path) else "no Chromium here: no picture")


def numbers(text: str) -> list[int]:
    return [int(number) for number in text.split(",")]


def main() -> None:
    parser = arguments(__doc__)
    parser.add_argument("--symbols", type=numbers, default=[10, 100, 1_000, 10_000])
    parser.add_argument("--rate", type=int, default=10_000, help="trades a second")
    parser.add_argument("--every-ms", type=int, default=200, help="a batch's time")
    parser.add_argument("--without-database", action="store_true", help="end each batch with its encoding")
    parser.add_argument("--plot", type=Path, help="where to draw it")
    parser.add_argument("--job", type=numbers, help="measure the whole job at these numbers of symbols instead")
    parser.add_argument(
        "--seconds", type=float, default=30.0, help="of the whole job, and as many before to warm it up"
    )
    options = parser.parse_args()
    end_cleanly()
    found = measure(options)
    points = medians(found)
    what = "the whole job" if options.job else "scan, fold and transaction in one process"
    print(
        f"\nprocessor microseconds a trade, {what}; {options.rate} trades/s; medians of {options.runs}; load {load()}"
    )
    print(table(points))
    if options.plot and not options.job:
        plot(points, options.rate, options.plot)


def measure(options: argparse.Namespace) -> list[dict[int, Point]]:
    runs = []
    with nullcontext() if options.without_database else running_parts(with_kafka=bool(options.job)) as parts:
        for number in range(options.runs):
            points: dict[int, Point] = {}
            for symbols in options.job or options.symbols:
                began = time.monotonic()
                if options.job:
                    assert parts is not None
                    points[symbols] = job_point(parts, symbols, options.rate, options.seconds)
                else:
                    points[symbols] = engine_point(parts, symbols, options.rate, options.every_ms)
                total = sum(points[symbols].values())
                print(
                    f"run {number + 1}, {symbols} symbols: {total:.1f} µs, {time.monotonic() - began:.0f} s", flush=True
                )
            runs.append(points)
    return runs


if __name__ == "__main__":
    main()
