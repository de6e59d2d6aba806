"""The stream under attack: the job as a process, the order that arms a kill point, and where its ledger stands."""

import json
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import psycopg2

from stack.chaos.feed import SOURCE
from stack.chaos.parts import Parts, Process
from stack.chaos.source import Place
from stack.parts.spark import JOB
from stack.passwords import WRITER

KILL_POINTS = "CANDLESTREAM_KILL_POINTS"  # the variable of spark_jobs/kill_points.py


@dataclass(slots=True)
class Job:
    """A stream on a database of its own; `script` is the job that spark-submit runs, with `arguments` before it."""

    parts: Parts
    prefix: str
    symbols: tuple[str, ...]
    script: Path = JOB
    more: dict[str, str] = field(default_factory=dict)
    arguments: tuple[str, ...] = ()
    database: str = field(init=False)
    home: Path = field(init=False)
    process: Process = field(init=False)

    def __post_init__(self) -> None:
        self.database = self.parts.fresh_database()
        self.home = self.parts.home.path / self.database
        (self.home / "kill_points").mkdir(parents=True)
        connection = psycopg2.connect(self.url)
        with connection, connection.cursor() as cursor:
            for symbol in self.symbols:
                cursor.execute(
                    """INSERT INTO core.instruments (symbol, calendar, timezone, currency, price_precision, state, source)
                       VALUES (%s, '24/7', 'UTC', 'USD', 2, 'ok', %s)""",
                    (symbol, SOURCE),
                )
        connection.close()
        environment = self.parts.spark | {
            "CANDLESTREAM_HOME": str(self.home),
            "CANDLESTREAM_SOURCE": SOURCE,
            "CANDLESTREAM_DATABASE_URL": self.parts.url(self.database, WRITER),
            "CANDLESTREAM_KAFKA_BOOTSTRAP": self.parts.node.bootstrap,
            "CANDLESTREAM_TOPIC_PREFIX": self.prefix,
            KILL_POINTS: str(self.home / "kill_points"),
            **self.more,
        }
        command = ["spark-submit", *self.arguments, str(self.script)]
        self.process = Process("the stream", command, environment, self.home / "stream.log", lambda: True)

    @property
    def url(self) -> str:
        return self.parts.url(self.database)

    def arm(self, point: str, pid: int | None) -> None:
        """The next batch that comes to `point` kills `pid`; without one the driver itself, or its connection at COMMIT."""
        folder = self.home / "kill_points"
        aside = folder / "aside"
        aside.write_text(json.dumps({"point": point, "kill": pid}))
        aside.rename(folder / "armed")

    def was_reached(self) -> bool:
        return (self.home / "kill_points" / "reached").exists()

    def disarm(self) -> None:
        """After the kill: from now on an end of the stream is its own doing."""
        (self.home / "kill_points" / "reached").unlink(missing_ok=True)

    def stands(self) -> dict[Place, int] | None:
        """The ledger; None where the database does not answer."""
        rows = self._ask("SELECT topic, partition, next_offset FROM v1.stream")
        return None if rows is None else {(topic, partition): offset for topic, partition, offset in rows}

    def is_recomputed(self) -> bool:
        """Whether nothing waits to be recomputed; not known to be so where the database does not answer."""
        return self._ask("SELECT FROM v1.recomputations LIMIT 1") == []

    def _ask(self, query: str) -> list[tuple[Any, ...]] | None:
        try:
            connection = psycopg2.connect(self.url, connect_timeout=2)
        except psycopg2.OperationalError:
            return None
        try:
            with connection, connection.cursor() as cursor:
                cursor.execute(query)
                rows: list[tuple[Any, ...]] = cursor.fetchall()
                return rows
        except psycopg2.OperationalError:
            return None
        finally:
            connection.close()
