"""How fast a backlog is worked off: trades that wait in Kafka to bars and all indicators in PostgreSQL, on this machine's cores.

    python -m bench.drain [--trades 2000000] [--symbols 500] [--rate 10000]

The trades are produced first, as a market of `--rate` trades a second would have made them, with its clock; then the stream starts.
Counted is from the begin of the second batch (the first one still compiles) to the last commit, as the stream's log has it.
"""

import argparse
import shutil
import signal
import time
from contextlib import ExitStack

from bench.latency import add_instruments, running_rig, trades
from market.contracts import Clock, Tick
from market.topics import EVENTS
from tests.stream.rig import Rig, until

SECOND_MS = 1_000


def fill(under_test: Rig, count: int, symbols: int, rate: int) -> None:
    """The backlog: its market ended just now."""
    topic = EVENTS.full_name(under_test.prefix)
    began_ms = time.time_ns() // 1_000_000 - count * SECOND_MS // rate
    told_ms = began_ms
    for k, (symbol, price, volume) in enumerate(trades(symbols, seed=1)):
        if k == count:
            break
        ms = began_ms + k * SECOND_MS // rate
        tick = Tick(source="simulator", symbol=symbol, event_ms=ms, fetched_ms=ms, price=price, day_volume=volume)
        while True:
            try:
                under_test.producer.produce(topic, tick.encode(), key=symbol.encode())
                break
            except BufferError:
                under_test.producer.poll(0.1)
        if ms - told_ms >= SECOND_MS:
            for partition in range(EVENTS.partitions):
                clock = Clock(source="simulator", event_ms=ms - SECOND_MS, fetched_ms=ms, since_ms=0)
                under_test.producer.produce(topic, clock.encode(), partition=partition)
            told_ms = ms
    under_test.producer.flush(60)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--trades", type=int, default=2_000_000)
    parser.add_argument("--symbols", type=int, default=500)
    parser.add_argument("--rate", type=int, default=10_000, help="trades a second of the market that made the backlog")
    parser.add_argument("--keep-log", help="copy the stream's log here")
    options = parser.parse_args()
    signal.signal(signal.SIGTERM, signal.default_int_handler)
    with ExitStack() as stack:
        under_test = stack.enter_context(running_rig())
        if options.keep_log:
            stack.callback(shutil.copy, under_test.log, options.keep_log)
        add_instruments(under_test, options.symbols)
        filled = time.monotonic()
        fill(under_test, options.trades, options.symbols, options.rate)
        print(
            f"{options.trades} trades of {options.symbols} symbols wait after {time.monotonic() - filled:.0f} s",
            flush=True,
        )
        under_test.start()
        under_test.drain()
        until(lambda: sum(b["records"] for b in under_test.logged("batch")) >= options.trades, "the last batch's line")
        report(under_test)


def report(under_test: Rig) -> None:
    batches = [batch for batch in under_test.logged("batch") if batch["records"]]
    for batch in batches:
        steps = ", ".join(
            f"{name[:-2]} {batch[name] * 1e3:.0f}" for name in batch if name.endswith("_s") and name != "committed_ns"
        )
        print(f"batch {batch['batch']}: {batch['records']} records; ms: {steps}")
    if len(batches) > 1:
        elapsed_s = (batches[-1]["committed_ns"] - batches[0]["committed_ns"]) / 1e9
        print(f"drained: {sum(batch['records'] for batch in batches[1:]) / elapsed_s:,.0f} records/s")


if __name__ == "__main__":
    main()
