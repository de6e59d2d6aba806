"""`up`: everything from an empty folder to the first candle, or as much of it as is missing."""

import fcntl
import os
import subprocess
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from rich.console import Console

from stack import indicators, state
from stack.errors import Exit, StackError
from stack.home import REPO, Home
from stack.java import classes, jars
from stack.java.runtime import find_java
from stack.parts import airflow, spark
from stack.parts.pools import ensure_pools
from stack.parts.postgres import open_server
from stack.parts.topics import ensure_topics
from stack.passwords import ADMIN_ROLE, secret, write_pgpass
from stack.platform import PYTHON, Platform, open_platform
from stack.ports import PREFERRED
from stack.source import decide
from stack.start import stamps
from stack.start.candle import Candle, wait_for_candle
from stack.start.stamps import only_when_changed
from stack.start.steps import Step, Steps
from stack.state import Hours, Source, State
from stack.supervision import control
from stack.supervision.logfiles import last_words

WELL_LIMIT_S = 300.0
# So many failed starts in a row are no hiccup: `up` ends and says why.
TOO_MANY_FAILURES = 4


@dataclass(frozen=True, slots=True)
class Options:
    """What was typed after `up`."""

    source: Source | None = None
    seed: int | None = None
    hours: Hours | None = None
    postgres_bin: Path | None = None


@contextmanager
def only_one(home: Home, console: Console) -> Iterator[None]:
    """Two `up`s do not fight: the second waits for the first, and then finds everything done."""
    with (home.run / "up.lock").open("a") as lock:
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            console.print("another `up` is at work on this home; waiting for it", highlight=False, markup=False)
            fcntl.flock(lock, fcntl.LOCK_EX)
        yield


def up(home: Home, options: Options, console: Console) -> Candle:
    """Brings the platform up and returns the candle that proves it."""
    home.prepare()
    with only_one(home, console):
        steps = Steps(console, time.monotonic())
        spent_s = float(os.environ.get("CANDLESTREAM_ENVIRONMENT_S", "0"))
        if spent_s:
            steps.began -= spent_s
            steps.done("environment", spent_s)
        candle = Start(home, options, steps).run()
        steps.save(home.logs / "up-steps.json")
        return candle


class Start:
    """One `up` at work: its steps as methods, wired in `run`."""

    def __init__(self, home: Home, options: Options, steps: Steps) -> None:
        self.home = home
        self.options = options
        self.steps = steps
        self.began_wall_s = time.time()
        self.candle: Candle | None = None
        self._order = threading.Lock()

    @property
    def platform(self) -> Platform:
        return open_platform(self.home)

    def run(self) -> Candle:
        self.steps.one("source", self.source)
        self.steps.one("supervisor", self.supervisor)
        self.steps.one("ports", self.ports)
        simulated = ("simulator",) if self.platform.state.source == "simulator" else ()
        steps = [
            Step("java", (), self.java),
            Step("kafka jars", ("java",), lambda: self.jars("kafka")),
            Step("spark jars", ("java",), lambda: self.jars("spark")),
            Step("postgres", ("java",), self.postgres),
            Step("schema", ("postgres",), self.schema),
            Step("airflow database", ("schema",), self.airflow_database),
            Step("kafka", ("kafka jars",), self.kafka),
            Step("topics", ("kafka",), self.topics),
            Step("ingestion", ("schema", "topics", *simulated), lambda: self.service("ingestion")),
            Step("spark", ("spark jars", "schema", "topics"), self.spark),
            Step("airflow", ("airflow database", "java"), self.airflow),
            Step("dashboard", ("schema", "java"), lambda: self.service("dashboard")),
            Step("first candle", ("ingestion", "spark"), self.first_candle),
        ]
        if simulated:
            steps.append(Step("simulator", ("java",), lambda: self.service("simulator")))
        self.steps.all(steps)
        if self.candle is None:
            raise StackError(Exit.NO_CANDLE, "no candle was looked for")
        return self.candle

    def source(self) -> str | None:
        """Decides what is decided once. What contradicts that, or cannot be, is refused before anything is kept or started."""
        indicators.check()
        kept, options = state.load(self.home), self.options
        source, reason = decide(kept, options.source)
        for name in ("seed", "hours") if kept is not None else ():
            # Bars of another seed are other prices, and bars of other hours belong to other sessions: neither mixes.
            has, wanted = getattr(kept, name), getattr(options, name)
            if wanted not in (None, has):
                sentence = (
                    f"this home's exchange has --{name} {has} and keeps that: choose another home with --home DIR"
                )
                raise StackError(Exit.OTHER_SOURCE, sentence)
        if options.postgres_bin is not None:
            open_server(self.home.data / "postgres", 0, options.postgres_bin)
        asked = {
            "seed": options.seed,
            "hours": options.hours,
            "postgres_bin": options.postgres_bin.resolve() if options.postgres_bin else None,
        }
        now = kept or State(source=source, source_reason=reason)
        changes = {name: value for name, value in asked.items() if value is not None}
        state.save(self.home, now.model_copy(update=changes))
        return reason if kept is None else None

    def supervisor(self) -> None:
        control.start_supervisor(self.home, dict(os.environ), self.steps.say)

    def ports(self) -> str | None:
        """Moves the ports that somebody else took while nothing of ours ran."""
        kept = state.require(self.home)
        ports: dict[str, int] = control.call(self.home, "ports")["ports"]
        state.save(self.home, kept.model_copy(update={"ports": ports}))
        write_pgpass(self.home, ports["postgres"])
        airflow.write_passwords(self.home)
        usual = PREFERRED | kept.ports
        told = [
            f"port {usual[name]} is taken: {name} is on {port}" for name, port in ports.items() if port != usual[name]
        ]
        return "\n".join(told) or None

    def java(self) -> str:
        java = find_java(self.home.java)
        found = {"java_home": java.home, "java_version": java.version, "java_is_bundled": java.is_bundled}
        state.save(self.home, state.require(self.home).model_copy(update=found))
        return f"Java {java.version}" + (", brought along" if java.is_bundled else "")

    def jars(self, conf: str) -> str | None:
        return "downloaded" if jars.ensure(self.home, self.platform.java, conf) else None

    def postgres(self) -> str | None:
        server = self.platform.postgres()
        made = not server.is_made
        if made:
            server.initdb(ADMIN_ROLE, secret(self.home, ADMIN_ROLE))
        self.service("postgres")
        return "made" if made else None

    def schema(self) -> None:
        """Roles and databases, then migrations."""
        variables = self.platform.environment() | {"CANDLESTREAM_ADMIN_URL": self.platform.admin_url}
        with only_when_changed(self.home, "schema", stamps.schema(self.home, self.platform.state)) as is_due:
            for verb in ("bootstrap", "upgrade") if is_due else ():
                self.tool(f"sql {verb}", [str(PYTHON), "-m", "sql", verb], variables)

    def airflow_database(self) -> None:
        """Airflow's own migrations."""
        with only_when_changed(self.home, "airflow", stamps.airflow(self.home)) as is_due:
            if is_due:
                command = ["nice", f"-n{airflow.NICENESS}", str(PYTHON.parent / "airflow"), "db", "migrate"]
                self.tool("airflow db migrate", command, self.platform.environment())
        ensure_pools(self.platform)

    def kafka(self) -> str | None:
        node = self.platform.kafka()
        made = not node.is_made
        if made:
            node.format()
        self.service("kafka")
        return "made" if made else None

    def topics(self) -> None:
        ensure_topics(self.platform.kafka().bootstrap, self.platform.state.topic_prefix)

    def spark(self) -> None:
        platform = self.platform
        ui = {"spark.ui.port": str(platform.ports["spark_ui"])}
        spark.render_conf(
            self.home.conf / "spark",
            jars.paths(self.home, "spark"),
            self.home.spark,
            ui,
            classes.options(platform.java),
        )
        self.service("spark")

    def airflow(self) -> None:
        self.service("airflow")

    def first_candle(self) -> str:
        self.candle = wait_for_candle(self.platform, self.began_wall_s)
        return self.candle.sentence

    def tool(self, name: str, command: list[str], variables: dict[str, str]) -> None:
        """Runs a command that prepares something; its output goes to a log."""
        log = self.home.logs / f"{name.replace(' ', '-')}.log"
        with log.open("wb") as out:
            done = subprocess.run(
                command,
                check=False,
                stdin=subprocess.DEVNULL,
                stdout=out,
                stderr=subprocess.STDOUT,
                env=variables,
                cwd=REPO,
            )
        if done.returncode:
            raise StackError(Exit.SERVICE_FAILS, f"{name} failed: {last_words(log)} (log: {log})")

    def service(self, name: str) -> None:
        """Starts a service and waits until it is well."""
        with self._order:
            control.call(self.home, "start", [name])
        limit = time.monotonic() + WELL_LIMIT_S
        while True:
            processes = control.call(self.home, "status")["processes"].values()
            mine = [process for process in processes if process["service"] == name]
            if mine and all(process["is_well"] for process in mine):
                return
            for process in mine:
                if process["failures"] >= TOO_MANY_FAILURES or (not process["is_well"] and time.monotonic() > limit):
                    said = process["last_exit"] or process["detail"] or "is not well"
                    raise StackError(Exit.SERVICE_FAILS, f"{name} does not start: {said} (log: {process['log']})")
            if not mine and time.monotonic() > limit:
                raise StackError(Exit.SERVICE_FAILS, f"{name} is gone: somebody ended the platform meanwhile")
            time.sleep(0.2)
