"""How soon the live feed is there again after its connection ended, and what waiting for a peer that is away costs.

    python -m bench.reconnect [--times 5] [--away 30]

The supervisor as the live service runs it, with its own waits (but for a silence time-out of 3 s, since 30 s only make the command
slow), against the simulated exchange: clean closes, aborts, silences, then a peer that ends every connection for `--away` seconds.
Seconds from the moment the supervisor knows that the connection is lost to the next one; processor time over wall time while away.
"""

import argparse
import statistics
import time

from bench.kit import end_cleanly, load
from tests.stream.faulty_exchange import FaultyExchange, LiveClient, running_exchange

AIM_S, AIM_SHARE = 5.0, 0.05
KINDS = (("closed", "feed_close", {}), ("aborted", "feed_abort", {}), ("silent", "feed_silence", {}))


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--times", type=int, default=5)
    parser.add_argument("--away", type=float, default=30.0, help="seconds that the peer is away")
    options = parser.parse_args()
    end_cleanly()
    with running_exchange("--ticks-per-second", "10") as exchange, exchange.live_client() as live:
        live.until("connected")
        for word, kind, parameters in KINDS:
            took = []
            for _ in range(options.times):
                live.counts_more("quotes")
                with exchange.wrong(kind, **parameters):
                    lost = live.until("lost")
                took.append(live.until("connected")["at"] - lost["at"])
            verdict = "met" if max(took) < AIM_S else "missed"
            print(
                f"{word:<8} median {statistics.median(took):.2f} s, longest {max(took):.2f} s; under {AIM_S:.0f} s: {verdict}"
            )
        share = away(live, exchange, options.away)
        verdict = "met" if share < AIM_SHARE else "missed"
        print(f"peer away for {options.away:.0f} s: {share:.1%} of a core; under {AIM_SHARE:.0%}: {verdict}")
    print(f"load average {load()}")


def away(live: LiveClient, exchange: FaultyExchange, seconds: float) -> float:
    """Processor time over wall time while every connection is ended at once."""
    with exchange.wrong("feed_close", **{"for": "1h"}):
        first = live.until("lost")
        ends_s = time.monotonic() + seconds
        while (last := live.until("count"))["at"] < first["at"] + seconds and time.monotonic() < ends_s + 10:
            pass
    return float((last["cpu_s"] - first["cpu_s"]) / (last["at"] - first["at"]))


if __name__ == "__main__":
    main()
