"""What the job's Spark settings are worth: trade to committed row, the same job and payload, as shipped and with Spark's defaults.

    python -m bench.stock [--rate 1000] [--symbols 500] [--seconds 30] [--warm-up 20] [--runs 5]

    tuned   spark_jobs/conf as it ships
    stock   `spark-submit --master local[2]` with the jars and nothing else: default shuffle partitions, adaptive execution, polling
            delay, checkpoint files (with atomic renames and checksums), retention, Arrow batches, Java compilers

Both run spark_jobs/stream.py on two partitions of a topic of their own, each with its own database, on the same broker and
server; the latency is bench.latency's: from the producer's hand to the commit that holds the trade.
"""

from contextlib import ExitStack
from pathlib import Path

import numpy as np

from bench.kit import Aim, Parts, arguments, end_cleanly, interleaved, report, running_parts
from bench.latency import Landed, add_instruments, latencies_ms, produce, trades
from stack.home import Home
from tests import embedded
from tests.stream.rig import rig, until

SETTLE_S = 3.0
# Where the jars are and which address to bind is no tuning, and neither are two cores and the heap.
KEPT = {
    "spark.master",
    "spark.driver.memory",
    "spark.driver.host",
    "spark.driver.bindAddress",
    "spark.jars",
    "spark.local.dir",
    "spark.sql.warehouse.dir",
    "spark.ui.enabled",
    "spark.ui.showConsoleProgress",
}


class Bench:
    """Latencies of one run after another; the p99 of each is kept beside the p50 that a way gives."""

    def __init__(self, parts: Parts, rate: int, symbols: int, warm_up_s: float, seconds: float) -> None:
        self.parts, self.rate, self.symbols, self.warm_up_s, self.seconds = parts, rate, symbols, warm_up_s, seconds
        self.tuned = embedded.spark_environment(parts.home, parts.java, parts.home.pgpass)
        self.stock = self.tuned | {"SPARK_CONF_DIR": str(stock_conf(parts.home, Path(self.tuned["SPARK_CONF_DIR"])))}
        self.p99_ms: dict[str, list[float]] = {"tuned": [], "stock": []}

    def run(self, name: str) -> float:
        """The median latency in milliseconds with the settings of this name."""
        environment = (self.tuned if name == "tuned" else self.stock) | {"CANDLESTREAM_LOG_LEVEL": "DEBUG"}
        prefix = embedded.create_topics(self.parts.bootstrap, name)
        with ExitStack() as stack:
            database = stack.enter_context(self.parts.database())
            under_test = stack.enter_context(rig(database, self.parts.bootstrap, prefix, environment))
            add_instruments(under_test, self.symbols)
            under_test.start()
            until(lambda: under_test.logged("ledger"), "the stream's start")
            warming, landed, source = Landed(), Landed(), trades(self.symbols, seed=1)
            produce(under_test, warming, self.rate, source, self.warm_up_s)
            # What waited while the first batches compiled is no part of either's steady latency.
            under_test.drain()
            produce(under_test, warming, self.rate, source, SETTLE_S)
            produce(under_test, landed, self.rate, source, self.seconds)
            under_test.drain()
            values = latencies_ms(under_test, landed, since_ns=0)
        self.p99_ms[name].append(float(np.percentile(values, 99)))
        return float(np.percentile(values, 50))


def stock_conf(home: Home, tuned: Path) -> Path:
    """The tuned configuration without what tunes."""
    folder = home.conf / "spark-stock"
    folder.mkdir(exist_ok=True)
    lines = (tuned / "spark-defaults.conf").read_text().splitlines()
    kept = [line for line in lines if line.split(maxsplit=1)[:1] and line.split(maxsplit=1)[0] in KEPT]
    found = {line.split(maxsplit=1)[0] for line in kept}
    if "spark.jars" not in found or "spark.master" not in found:
        raise SystemExit(f"{tuned} no longer names the jars or the master: a stock run would not start")
    (folder / "spark-defaults.conf").write_text("\n".join(kept) + "\n")
    return folder


def main() -> None:
    parser = arguments(__doc__)
    parser.add_argument("--rate", type=int, default=1_000, help="trades a second")
    parser.add_argument("--symbols", type=int, default=500)
    parser.add_argument("--seconds", type=float, default=30.0)
    parser.add_argument("--warm-up", type=float, default=20.0, help="seconds that are produced but not counted")
    options = parser.parse_args()
    end_cleanly()
    with running_parts(with_kafka=True) as parts:
        bench = Bench(parts, options.rate, options.symbols, options.warm_up, options.seconds)
        found = interleaved({"tuned": lambda: bench.run("tuned"), "stock": lambda: bench.run("stock")}, options.runs)
    print(f"\n{options.rate} trades/s, {options.symbols} symbols")
    report(found, "tuned", "p50, ms from produced to committed", [Aim("stock", 0.6, is_most=True)])
    report(bench.p99_ms, "tuned", "p99, ms from produced to committed", [Aim("stock", 0.6, is_most=True)])


if __name__ == "__main__":
    main()
