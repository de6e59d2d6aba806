"""Real parts for tests: a PostgreSQL and a Kafka on free ports in a folder that is thrown away."""

import itertools
import os
import shutil
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import psycopg2
from psycopg2 import sql as pgsql

from sql.bootstrap import harden
from stack.home import REPO, Home, open_home
from stack.java import classes, jars
from stack.java.runtime import Java, find_java
from stack.parts import spark
from stack.parts.kafka import KafkaNode
from stack.parts.postgres import PostgresServer, open_server, server_environment
from stack.parts.topics import ensure_topics
from stack.passwords import ADMIN_ROLE, MIGRATOR, READER, WRITER, secret, write_pgpass
from stack.ports import HOST, free_port

TEMPLATE_DATABASE = "candlestream_template"
START_LIMIT_S = 180.0


@dataclass(frozen=True)
class Database:
    """A migrated, empty database of its own. The URLs hold no password: PGPASSFILE names the file that does."""

    name: str
    port: int
    pgpass: Path

    def url(self, role: str) -> str:
        return f"postgresql://{role}@{HOST}:{self.port}/{self.name}"

    @property
    def admin(self) -> str:
        return self.url(ADMIN_ROLE)

    @property
    def migrator(self) -> str:
        return self.url(MIGRATOR)

    @property
    def writer(self) -> str:
        return self.url(WRITER)

    @property
    def reader(self) -> str:
        return self.url(READER)


@contextmanager
def temporary_home() -> Iterator[Home]:
    """A home under the system's temporary folder, which PostgreSQL's user can reach."""
    folder = Path(tempfile.mkdtemp(prefix="candlestream-test-"))
    folder.chmod(0o755)
    home = Home(folder)
    home.prepare()
    try:
        yield home
    finally:
        shutil.rmtree(folder, ignore_errors=True)


def wait_until(answers: Callable[[], bool], process: subprocess.Popen[bytes], log: Path) -> None:
    limit = time.monotonic() + START_LIMIT_S
    while not answers():
        if process.poll() is not None or time.monotonic() > limit:
            raise RuntimeError(f"{log.stem} did not start:\n{log.read_text()[-2000:]}")
        time.sleep(0.05)


@contextmanager
def running(
    command: list[str], log: Path, stop_signal: signal.Signals, environment: dict[str, str]
) -> Iterator[subprocess.Popen[bytes]]:
    """A server in a process group of its own, ended by `stop_signal` and, if that takes too long, by SIGKILL."""
    with log.open("wb") as out:
        process = subprocess.Popen(
            command,
            stdout=out,
            stderr=subprocess.STDOUT,
            stdin=subprocess.DEVNULL,
            start_new_session=True,
            env=environment,
            cwd="/",
        )
    try:
        yield process
    finally:
        process.send_signal(stop_signal)
        try:
            process.wait(15)
        except subprocess.TimeoutExpired:
            os.killpg(process.pid, signal.SIGKILL)
            process.wait()


@contextmanager
def running_postgres(home: Home, *, is_durable: bool = False) -> Iterator[PostgresServer]:
    """A server with a migrated template database, so that a fresh database costs a file copy."""
    server = open_server(home.data / "postgres", free_port())
    write_pgpass(home, server.port)
    server.initdb(ADMIN_ROLE, secret(home, ADMIN_ROLE))
    # Tests throw the data away and need no disk syncs; a benchmark measures them.
    command = server.command() if is_durable else [*server.command(), "-c", "fsync=off", "-c", "full_page_writes=off"]
    log = home.logs / "postgres.log"
    with running(command, log, signal.SIGINT, server_environment()) as process:
        wait_until(lambda: server.answers(ADMIN_ROLE, home.pgpass), process, log)
        template = Database(TEMPLATE_DATABASE, server.port, home.pgpass)
        variables = os.environ | {
            "PGPASSFILE": str(home.pgpass),
            "CANDLESTREAM_ADMIN_URL": Database("postgres", server.port, home.pgpass).admin,
            "CANDLESTREAM_MIGRATOR_URL": template.migrator,
        }
        for verb in ("bootstrap", "upgrade"):
            subprocess.run([sys.executable, "-m", "sql", verb], check=True, cwd=REPO, env=variables)
        yield server


_numbers = itertools.count(1)


def fresh_database(server: PostgresServer, pgpass: Path) -> Database:
    """A copy of the migrated template, with the settings that hang on a database's name."""
    name = f"candlestream_test_{next(_numbers)}"
    admin = Database("postgres", server.port, pgpass).admin
    connection = psycopg2.connect(admin)
    connection.autocommit = True
    with connection.cursor() as cursor:
        statement = pgsql.SQL("CREATE DATABASE {} TEMPLATE {} OWNER {}")
        cursor.execute(statement.format(*map(pgsql.Identifier, (name, TEMPLATE_DATABASE, MIGRATOR))))
    connection.close()
    database = Database(name, server.port, pgpass)
    harden(database.admin, name)
    return database


def drop_database(database: Database) -> None:
    connection = psycopg2.connect(Database("postgres", database.port, database.pgpass).admin)
    connection.autocommit = True
    with connection.cursor() as cursor:
        cursor.execute(pgsql.SQL("DROP DATABASE {} WITH (FORCE)").format(pgsql.Identifier(database.name)))
    connection.close()


def jar_home() -> Home:
    """Jars are shared with the platform in the default home, so that a test run downloads nothing twice."""
    home = open_home(None)
    home.jars.mkdir(parents=True, exist_ok=True)
    return home


@contextmanager
def running_kafka(home: Home, java: Java) -> Iterator[KafkaNode]:
    jars.ensure(jar_home(), java, "kafka")
    node = KafkaNode(
        java, jars.paths(jar_home(), "kafka"), home.data / "kafka", home.conf / "kafka", free_port(), free_port()
    )
    node.format()
    node.write_properties()
    log = home.logs / "kafka.log"
    with running(node.command(), log, signal.SIGTERM, dict(os.environ)) as process:
        wait_until(node.answers, process, log)
        yield node


def create_topics(bootstrap: str, prefix: str) -> str:
    """The market's topics under a prefix that no other test has; returns the prefix."""
    unique = f"{prefix}.{next(_numbers)}."
    ensure_topics(bootstrap, unique)
    return unique


def spark_environment(home: Home, java: Java, pgpass: Path) -> dict[str, str]:
    """For `spark-submit spark_jobs/...`: the test adds CANDLESTREAM_DATABASE_URL, _KAFKA_BOOTSTRAP and _TOPIC_PREFIX."""
    jars.ensure(jar_home(), java, "spark")
    conf_dir = home.conf / "spark"
    spark.render_conf(
        conf_dir, jars.paths(jar_home(), "spark"), home.spark, {"spark.ui.enabled": "false"}, classes.options(java)
    )
    variables = {name: value for name, value in os.environ.items() if not name.startswith(("CANDLESTREAM_", "SPARK_"))}
    path = os.pathsep.join((str(Path(sys.executable).parent), variables.get("PATH", "")))
    return (
        variables
        | spark.environment(java, conf_dir)
        | {
            "PATH": path,
            "PYTHONPATH": str(REPO),
            "PGPASSFILE": str(pgpass),
            "CANDLESTREAM_HOME": str(home.path),
            "CANDLESTREAM_SOURCE": "simulator",
        }
    )


def find_test_java(home: Home) -> Java:
    return find_java(home.java)
