"""Servers of a chaos run: PostgreSQL and one broker in a folder that is thrown away, each killed and started again at will."""

import os
import random
import shutil
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from itertools import count
from pathlib import Path

import psycopg2
from psycopg2 import sql as pgsql

from stack.errors import Exit, StackError
from stack.home import REPO, Home
from stack.java import classes, jars
from stack.java.runtime import Java, find_java
from stack.parts import spark
from stack.parts.kafka import KafkaNode
from stack.parts.postgres import PostgresServer, open_server, server_environment
from stack.passwords import ADMIN_ROLE, MIGRATOR, secret, write_pgpass
from stack.ports import HOST, Claims

START_LIMIT_S = 180.0
STOP_LIMIT_S = 20.0
PORTS = range(20_000, 32_000)
TEMPLATE = "candlestream_chaos"
# A server that is killed takes nothing with it that the kernel holds: syncs to the disk would only cost time here.
WITHOUT_SYNCS = ["-c", "fsync=off", "-c", "full_page_writes=off"]


@dataclass(slots=True)
class Process:
    """One server or job, in a process group of its own."""

    name: str
    command: list[str]
    environment: dict[str, str]
    log: Path
    answers: Callable[[], bool]
    stop_signal: signal.Signals = signal.SIGTERM
    process: subprocess.Popen[bytes] | None = field(default=None)

    @property
    def is_alive(self) -> bool:
        return self.process is not None and self.process.poll() is None

    @property
    def pid(self) -> int:
        if self.process is None:
            raise StackError(Exit.SERVICE_FAILS, f"{self.name} was not started")
        return self.process.pid

    def start(self) -> None:
        """Returns when it answers; tries again where it ends, as a server does while its killed children still hold its data."""
        limit = time.monotonic() + START_LIMIT_S
        while True:
            if not self.is_alive:
                with self.log.open("ab") as out:
                    self.process = subprocess.Popen(
                        self.command,
                        stdin=subprocess.DEVNULL,
                        stdout=out,
                        stderr=subprocess.STDOUT,
                        env=self.environment,
                        cwd=REPO,
                        start_new_session=True,
                    )
            if self.answers():
                return
            if time.monotonic() > limit:
                raise StackError(Exit.SERVICE_FAILS, f"{self.name} did not start: {tail(self.log)}")
            time.sleep(0.1)

    def wait(self) -> None:
        """Until it has ended, whoever ended it."""
        if self.process is not None:
            self.process.wait()

    def kill(self) -> None:
        """The whole group at once, as a power cut would."""
        if self.process is not None:
            self._signal(signal.SIGKILL)
            self.wait()

    def stop(self) -> int | None:
        """In order; by force where that takes too long. Gives the exit code."""
        if self.process is None:
            return None
        self._signal(self.stop_signal)
        try:
            return self.process.wait(STOP_LIMIT_S)
        except subprocess.TimeoutExpired:
            self.kill()
            return self.process.returncode

    def _signal(self, number: signal.Signals) -> None:
        try:
            os.killpg(self.pid, number)
        except ProcessLookupError:
            return  # all of it has ended


@dataclass(slots=True)
class Parts:
    home: Home
    server: PostgresServer
    postgres: Process
    node: KafkaNode
    broker: Process
    spark: dict[str, str]
    claims: Claims
    numbers: Iterator[int] = field(default_factory=count)

    def url(self, database: str, role: str = ADMIN_ROLE) -> str:
        return f"postgresql://{role}@{HOST}:{self.server.port}/{database}?passfile={self.home.pgpass}"

    def fresh_database(self) -> str:
        """A migrated, empty database; its name."""
        name = f"{TEMPLATE}_{next(self.numbers)}"
        connection = psycopg2.connect(self.url("postgres"))
        connection.autocommit = True
        with connection.cursor() as cursor:
            statement = pgsql.SQL("CREATE DATABASE {} TEMPLATE {} OWNER {}")
            cursor.execute(statement.format(*map(pgsql.Identifier, (name, TEMPLATE, MIGRATOR))))
        connection.close()
        return name


@contextmanager
def running_parts(jar_home: Home) -> Iterator[Parts]:
    """Both servers, migrated, until the end of the block. `jar_home`: where the jars are, or are brought to."""
    # Not below the user's own folders: PostgreSQL's user has to reach it where root runs this.
    folder = Path(tempfile.mkdtemp(prefix="candlestream-chaos-"))
    folder.chmod(0o755)
    home = Home(folder)
    home.prepare()
    parts: Parts | None = None
    try:
        parts = assemble(home, jar_home)
        parts.postgres.start()
        migrate(parts)
        parts.broker.start()
        yield parts
    finally:
        if parts:
            parts.broker.stop()
            parts.postgres.stop()
            parts.claims.release()
        shutil.rmtree(folder, ignore_errors=True)


def assemble(home: Home, jar_home: Home) -> Parts:
    """Everything made, nothing started."""
    java = find_java(home.java)
    claims = Claims()
    port, broker_port, controller_port = claim_ports(3, claims)
    jar_home.jars.mkdir(parents=True, exist_ok=True)
    for conf in jars.CONFS:
        jars.ensure(jar_home, java, conf)
    server = open_server(home.data / "postgres", port)
    write_pgpass(home, server.port)
    server.initdb(ADMIN_ROLE, secret(home, ADMIN_ROLE))
    postgres = Process(
        "PostgreSQL",
        [*server.command(), *WITHOUT_SYNCS],
        server_environment(),
        home.logs / "postgres.log",
        lambda: server.answers(ADMIN_ROLE, home.pgpass),
        signal.SIGINT,
    )
    node = KafkaNode(java, jars.paths(jar_home, "kafka"), home.data / "kafka", home.conf, broker_port, controller_port)
    node.format()
    node.write_properties()
    broker = Process("Kafka", node.command(), dict(os.environ), home.logs / "kafka.log", node.answers)
    return Parts(home, server, postgres, node, broker, spark_environment(home, jar_home, java), claims)


def claim_ports(many: int, claims: Claims) -> list[int]:
    """Ports below those of outgoing connections: a client that looks for a killed server must not be given its port."""
    chosen: list[int] = []
    while len(chosen) < many:
        port = random.choice(PORTS)  # noqa: S311
        if claims.take(port):
            chosen.append(port)
    return chosen


def migrate(parts: Parts) -> None:
    variables = os.environ | {
        "PGPASSFILE": str(parts.home.pgpass),
        "CANDLESTREAM_ADMIN_URL": parts.url("postgres"),
        "CANDLESTREAM_MIGRATOR_URL": parts.url(TEMPLATE, MIGRATOR),
    }
    for verb in ("bootstrap", "upgrade"):
        subprocess.run([sys.executable, "-m", "sql", verb], check=True, cwd=REPO, env=variables)


def spark_environment(home: Home, jar_home: Home, java: Java) -> dict[str, str]:
    conf_dir = home.conf / "spark"
    spark.render_conf(
        conf_dir, jars.paths(jar_home, "spark"), home.spark, {"spark.ui.enabled": "false"}, classes.options(java)
    )
    kept = {name: value for name, value in os.environ.items() if not name.startswith(("CANDLESTREAM_", "SPARK_"))}
    path = os.pathsep.join((str(Path(sys.executable).parent), kept.get("PATH", "")))
    added = {"PATH": path, "PYTHONPATH": str(REPO), "PGPASSFILE": str(home.pgpass)}
    return kept | spark.environment(java, conf_dir) | added


def tail(log: Path, characters: int = 2000) -> str:
    return log.read_text(errors="replace")[-characters:] if log.exists() else ""
