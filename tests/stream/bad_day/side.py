"""One platform of a bad day: an exchange, an ingester, a stream and what Airflow's tasks run, as processes of their own."""

import json
import socket
import subprocess
import sys
import threading
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import psycopg2

from stack.chaos.parts import Parts, Process, claim_ports
from stack.home import REPO
from stack.parts.spark import JOB
from stack.parts.topics import ensure_topics
from stack.passwords import WRITER
from stack.ports import HOST
from tests.stream.rig import until

COMMAND_LIMIT_S = 300
# Of the machine's time: at 20 times the speed a poll each five minutes of the exchange.
POLL_S, LEDGER_S = 15.0, 60.0


@dataclass(frozen=True, slots=True)
class Place:
    """Where symbols are traded: a calendar's code, its time zone, their currency."""

    exchange: str
    calendar: str
    timezone: str
    currency: str


STOCKHOLM = Place("STO", "XSTO", "Europe/Stockholm", "SEK")
AROUND_THE_CLOCK = Place("SIM", "24/7", "UTC", "USD")


@dataclass(slots=True)
class Side:
    """Everything that a run has for itself; the servers are shared. `options` are the exchange's, `more` variables of all."""

    name: str
    parts: Parts
    symbols: tuple[str, ...]
    place: Place
    options: dict[str, object] = field(default_factory=dict)
    more: dict[str, str] = field(default_factory=dict)
    database: str = field(init=False)
    home: Path = field(init=False)
    environment: dict[str, str] = field(init=False)
    exchange: Process = field(init=False)
    ingester: Process = field(init=False)
    stream: Process = field(init=False)
    scheduler: Process = field(init=False)
    summaries: list[dict[str, Any]] = field(default_factory=list)

    def __post_init__(self) -> None:
        self.database = self.parts.fresh_database()
        self.home = self.parts.home.path / self.database
        self.home.mkdir(parents=True)
        prefix = f"{self.name}.{self.database}."
        ensure_topics(self.parts.node.bootstrap, prefix)
        [port] = claim_ports(1, self.parts.claims)
        self.environment = self.parts.spark | {
            "CANDLESTREAM_HOME": str(self.home),
            "CANDLESTREAM_SOURCE": "simulator",
            "CANDLESTREAM_DATABASE_URL": self.parts.url(self.database, WRITER),
            "CANDLESTREAM_KAFKA_BOOTSTRAP": self.parts.node.bootstrap,
            "CANDLESTREAM_TOPIC_PREFIX": prefix,
            "CANDLESTREAM_SYMBOLS": ",".join(self.symbols),
            "CANDLESTREAM_FEED_PROXY": f"http://{HOST}:{port}",
            "CANDLESTREAM_FEED_CA": str(self.home / "simulator" / "ca.pem"),
            **self.more,
        }
        options = {"--port": port, "--home": self.home, **self.options}
        arguments = [str(part) for option in options.items() for part in option]
        self.exchange = self._process("the exchange", [sys.executable, "-m", "simulator", "serve", *arguments], port)
        self.ingester = self._process("the ingester", [sys.executable, "-m", "ingestion", "live"])
        self.stream = self._process("the stream", ["spark-submit", str(JOB)])
        schedule = [sys.executable, "-m", "tests.stream.bad_day.scheduler", str(POLL_S), str(LEDGER_S)]
        self.scheduler = self._process("the scheduler", schedule)
        self._track()

    def _process(self, name: str, command: list[str], port: int | None = None) -> Process:
        log = self.home / f"{name.split()[-1]}.log"
        return Process(name, command, self.environment, log, lambda: port is None or is_open(port))

    def _track(self) -> None:
        """The symbols, known and with their history: a bad day is not a first start."""
        connection = psycopg2.connect(self.url)
        with connection, connection.cursor() as cursor:
            place = self.place
            for symbol in self.symbols:
                cursor.execute(
                    """INSERT INTO core.instruments (symbol, name, instrument_type, exchange, calendar, timezone, currency,
                                                     price_precision, has_volume, state, source, tracked, history_at)
                       VALUES (%s, %s, 'EQUITY', %s, %s, %s, %s, 2, true, 'ok', 'simulator', true, now())""",
                    (symbol, symbol, place.exchange, place.calendar, place.timezone, place.currency),
                )
        connection.close()

    @property
    def url(self) -> str:
        return self.parts.url(self.database)

    def ask(self, query: str, *parameters: Any) -> list[tuple[Any, ...]]:
        connection = psycopg2.connect(self.url)
        try:
            with connection, connection.cursor() as cursor:
                cursor.execute(query, parameters)
                return cursor.fetchall()
        finally:
            connection.close()

    def command(self, *arguments: str) -> dict[str, Any]:
        """One of the commands that Airflow's tasks run; its exit code, summary and log are kept."""
        ended = subprocess.run(
            [sys.executable, "-m", "ingestion", *arguments],
            cwd=REPO,
            env=self.environment,
            capture_output=True,
            text=True,
            timeout=COMMAND_LIMIT_S,
            check=False,
        )
        last = ended.stdout.strip().rpartition("\n")[2]
        summary = {**(json.loads(last) if last else {}), "exit_code": ended.returncode, "log": ended.stderr}
        self.summaries.append(summary)
        return summary

    def start_stream(self) -> None:
        """Returns when it works: starting Spark takes the machine's cores from all else."""
        self.stream.start()
        until(
            lambda: self.ask("SELECT 1 FROM core.stream_epochs"),
            "the stream works",
        )

    def fetch_history(self, timeline: str, since: Mapping[str, str]) -> None:
        """The history by timeframe, as a first start has it, before the day begins."""
        self.environment["CANDLESTREAM_SIMULATOR_TIMELINE"] = timeline
        self.exchange.start()
        for timeframe, first_day in since.items():
            done = self.command("backfill", "--timeframes", timeframe, "--since", first_day)
            assert done["exit_code"] == 0, done
        self.exchange.stop()

    def start(self, timeline: str | None = None) -> None:
        if timeline is not None:
            self.environment["CANDLESTREAM_SIMULATOR_TIMELINE"] = timeline
        self.exchange.start()
        self.ingester.start()

    @property
    def is_listening(self) -> bool:
        """Whether the ingester, as it was started last, has the feed."""
        events = [line["event"] for line in self.log(self.ingester) if line["event"] in ("live", "feed connected")]
        return self.ingester.is_alive and events[-1:] == ["feed connected"]

    def stop_day(self) -> None:
        self.ingester.stop()
        self.exchange.stop()

    def stop(self) -> None:
        for process in (self.scheduler, self.ingester, self.stream, self.exchange):
            process.stop()

    def log(self, process: Process) -> list[dict[str, Any]]:
        lines = process.log.read_text(errors="replace").splitlines() if process.log.exists() else []
        return [json.loads(line) for line in lines if line.startswith("{") and '"event"' in line]


def is_open(port: int) -> bool:
    with socket.socket() as trial:
        return trial.connect_ex((HOST, port)) == 0


def together(*works: Any) -> None:
    """Runs them at the same time and waits for all; the first error goes on."""
    failed: list[BaseException] = []

    def attempt(work: Any) -> None:
        try:
            work()
        except BaseException as error:  # noqa: BLE001  (raised below)
            failed.append(error)

    threads = [threading.Thread(target=attempt, args=(work,)) for work in works]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    if failed:
        raise failed[0]
