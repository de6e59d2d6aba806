"""Ingestion's poll, backfill and live feed against a faulty exchange, into a list in place of Kafka, with short time-outs.

`python -m tests.stream.fault_client tasks` reads a question a line (`{"task": "poll"}`) and answers each with a line;
`… live` says a line for each thing that happens to the feed, and one twice a second with what was counted.
"""

import asyncio
import json
import os
import random
import sys
import tempfile
import time
from collections.abc import Iterable
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import structlog
from prometheus_client import REGISTRY

from ingestion import clock, commands, metrics
from ingestion.database import Database
from ingestion.history import backfill
from ingestion.live import feed
from ingestion.live.feed import Feed
from ingestion.live.work import LiveStream
from ingestion.poll import once as poll
from ingestion.providers import yahoo
from ingestion.requesting import gated_session
from ingestion.requesting.budget import Budget
from market.contracts import Bar, Clock, DeadLetter, Record, Tick
from market.timeline import Timeline

SYMBOL = "AAPL"
# One symbol alone is quiet for longer than the short silence time-out now and then; a market is not.
LISTENED = ("AAPL", "MSFT", "NVDA", "AMZN", "GOOGL")
TIMEFRAME = {"poll": "1m", "backfill": "5m"}
# What is older than this is settled: corrected late rows are behind it.
SETTLED_MS = 3_600_000
# A fraction of what ingestion waits, so that a fault's row takes seconds.
REQUEST_TIMEOUT_S, RETRY_S, PATIENCE_S, OPEN_TIMEOUT_S, PONG_TIMEOUT_S, SILENCE_S = 2.5, 1.0, 1.5, 2.5, 2.5, 4.0

logged: list[dict[str, Any]] = []


class Kafka:
    """Takes all records."""

    def __init__(self) -> None:
        self.records: list[Record] = []

    def send(self, record: Record) -> bool:
        self.records.append(record)
        return True

    def send_clock(self, _clock: Clock) -> bool:
        return True

    def serve(self) -> int:
        return 0

    def send_all(self, records: Iterable[Record], history: bool = False) -> int:
        before = len(self.records)
        self.records.extend(records)
        return len(self.records) - before

    def flush(self, _timeout_s: float) -> None:
        """All is delivered."""


def keep(_logger: Any, level: str, entry: dict[str, Any]) -> str:
    if level in ("warning", "error"):
        logged.append(entry)
    raise structlog.DropEvent


def shorten() -> None:
    structlog.configure(processors=[keep])
    clock.follow(Timeline.parse(os.environ["CANDLESTREAM_SIMULATOR_TIMELINE"]))
    gated_session.REQUEST_TIMEOUT_S, poll.RETRY_S, backfill.PATIENCE_S = REQUEST_TIMEOUT_S, RETRY_S, PATIENCE_S
    feed.OPEN_TIMEOUT_S, feed.PONG_TIMEOUT_S, feed.LONGEST_PAUSE_S = OPEN_TIMEOUT_S, PONG_TIMEOUT_S, 1.0


def settled(kafka: Kafka, task: str) -> dict[int, list[float | None]]:
    """Start → values of the complete bars that no later answer changes."""
    until_ms = clock.now_ms() // SETTLED_MS * SETTLED_MS - SETTLED_MS
    return {
        bar.event_ms: [bar.open, bar.high, bar.low, bar.close, bar.volume]
        for bar in kafka.records
        if isinstance(bar, Bar) and bar.timeframe == TIMEFRAME[task] and bar.is_complete and bar.event_ms < until_ms
    }


def carry_out(task: str, database: Database, folder: Path) -> tuple[Kafka, dict[str, Any], int]:
    """A task as its command runs it, with a request budget of its own: what one fault closed does not hold up the next row."""
    kafka = Kafka()
    provider = yahoo.Yahoo(folder / "cache", Budget(folder / f"{time.monotonic_ns()}.json", 10_000))
    if task == "poll":
        done, stopped = poll.poll(database, provider, kafka, "simulator", [SYMBOL], 20.0, 60, clock.now_ms)  # type: ignore[arg-type]
    else:
        since = datetime.fromtimestamp(clock.now_ms() / 1000, UTC).date() - timedelta(days=1)
        request = backfill.Request([SYMBOL], [TIMEFRAME[task]], since)
        done, stopped = backfill.backfill(database, provider, kafka, "simulator", request, clock.now_ms)  # type: ignore[arg-type]
    return kafka, done.as_dict(), commands.told(done.as_dict(), stopped)


def answer_tasks(url: str) -> None:
    database, folder = Database(url), Path(tempfile.mkdtemp())
    out, sys.stdout = sys.stdout, sys.stderr  # a command's own last line is not ours
    whole: dict[str, dict[int, list[float | None]]] = {}
    for line in sys.stdin:
        task = json.loads(line)["task"]
        logged.clear()
        counted = sum(metrics.provider_errors().values())
        database.run("DELETE FROM core.polled")
        begun_s, cpu_s = time.monotonic(), time.process_time()
        try:
            kafka, summary, exit_code = carry_out(task, database, folder)
        except Exception as error:  # noqa: BLE001  (what escapes is what the test looks for)
            said: dict[str, Any] = {"escaped": f"{type(error).__name__}: {error}"}
        else:
            bars = settled(kafka, task)
            whole.setdefault(task, bars)
            said = {"escaped": None, "exit_code": exit_code, "error": summary["error"], "failed": summary["failed"]}
            said |= {"empty": summary.get("empty", []), "bars": len(bars), "letters": summary["dead_letters"]}
            said["is_whole"] = bars == whole[task]
        said |= {"seconds": time.monotonic() - begun_s, "cpu_s": time.process_time() - cpu_s}
        said |= {
            "counted": sum(metrics.provider_errors().values()) - counted,
            "logged": [str(entry) for entry in logged],
        }
        print(json.dumps(said), file=out, flush=True)


def counts(name: str) -> dict[str, int]:
    samples = [sample for family in REGISTRY.collect() for sample in family.samples if sample.name == f"{name}_total"]
    return {next(iter(sample.labels.values())): int(sample.value) for sample in samples}


async def listen() -> None:
    folder, kafka = Path(tempfile.mkdtemp()), Kafka()
    provider = yahoo.Yahoo(folder, Budget(folder / "budget.json", 600))
    stream = LiveStream(provider, kafka, "simulator", clock.now_ms)  # type: ignore[arg-type]
    stream.instruments = {symbol: provider.describe(symbol) for symbol in LISTENED}

    def say(event: str) -> None:
        ticks = [record for record in kafka.records if isinstance(record, Tick)]
        letters = sorted({record.reason for record in kafka.records if isinstance(record, DeadLetter)})
        line = {
            "event": event,
            "at": time.monotonic(),
            "cpu_s": time.process_time(),
            "ticks": len(ticks),
            "letters": letters,
        }
        line["frames"], line["reconnects"] = counts(metrics.FRAMES._name), counts(metrics.RECONNECTS._name)
        sys.stdout.write(json.dumps(line | {"logged": [str(entry) for entry in logged[-3:]]}) + "\n")
        sys.stdout.flush()

    def lost(reason: str, sentence: str, proven_ms: int) -> None:
        stream.on_lost(reason, sentence, proven_ms)
        say("lost")

    def connected(now_ms: int) -> None:
        stream.on_connected(now_ms)
        say("connected")

    supervisor = Feed(
        provider, stream.symbols, stream.is_trading, stream.on_frame, lost, connected, SILENCE_S, clock.now_ms, random.Random(1)
    )  # fmt: skip
    running = asyncio.create_task(supervisor.run())
    while not running.done():
        await asyncio.sleep(0.5)
        say("count")
    await running


if __name__ == "__main__":
    shorten()
    if sys.argv[1] == "live":
        asyncio.run(listen())
    else:
        answer_tasks(os.environ["CANDLESTREAM_DATABASE_URL"])
