"""What the comparisons share: real parts of their own, ways that take turns, and a table of medians and ratios."""

import argparse
import os
import signal
import statistics
import sys
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path

import psycopg2

from stack.home import Home
from stack.java.runtime import Java
from stack.parts.postgres import PostgresServer
from tests import embedded
from tests.embedded import Database

CACHE = Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache") / "candlestream-bench"


@dataclass(frozen=True)
class Aim:
    """At least (or, with `is_most`, at most) `ratio` times the other way's figure."""

    other: str
    ratio: float
    is_most: bool = False

    def is_met(self, ratio: float) -> bool:
        return ratio <= self.ratio if self.is_most else ratio >= self.ratio


def arguments(description: str | None, runs: int = 5) -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(description=description, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--runs", type=int, default=runs, help="rounds, in each of which every way has its turn")
    return parser


def end_cleanly() -> None:
    """Whoever ends a run early (`timeout`, Ctrl-C) has everything stopped that was started; the exit code is the shell's for it."""
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, lambda number, _: sys.exit(128 + number))


def interleaved(ways: dict[str, Callable[[], float]], runs: int) -> dict[str, list[float]]:
    """Every way once a round; the order turns by one each round, so that none always follows the same other."""
    found: dict[str, list[float]] = {name: [] for name in ways}
    names = list(ways)
    for number in range(runs):
        turned = names[number % len(names) :] + names[: number % len(names)]
        for name in turned:
            found[name].append(ways[name]())
            print(f"run {number + 1} of {runs}: {name}: {found[name][-1]:,.1f}", flush=True)
    return found


def report(found: dict[str, list[float]], ours: str, unit: str, aims: list[Aim]) -> None:
    """Medians with their range, our figure over each other way's, and the load that the machine had."""
    medians = {name: statistics.median(values) for name, values in found.items()}
    print(f"\n{unit}, medians of {len(found[ours])}, interleaved; load average {load()}")
    for name, values in found.items():
        against = "" if name == ours else f"   {ours} is {medians[ours] / medians[name]:.2f} ×"
        print(f"  {name:<16}{medians[name]:>14,.1f}   ({min(values):,.1f} to {max(values):,.1f}){against}")
    for aim in aims:
        ratio = medians[ours] / medians[aim.other]
        words = "at most" if aim.is_most else "at least"
        verdict = "met" if aim.is_met(ratio) else "missed"
        print(f"  aim: {words} {aim.ratio} × {aim.other}: {verdict} ({ratio:.2f})")


def load() -> str:
    """The load average of one and five minutes, with the cores that it is shared by."""
    one, five, _ = os.getloadavg()
    return f"{one:.1f} (1 min), {five:.1f} (5 min) on {os.cpu_count()} cores"


@dataclass(frozen=True)
class Parts:
    """What a comparison runs on: a durable PostgreSQL and, where it was asked for, a broker."""

    home: Home
    java: Java
    server: PostgresServer
    bootstrap: str = ""

    @contextmanager
    def database(self) -> Iterator[Database]:
        """A migrated, empty database, dropped at the end."""
        database = embedded.fresh_database(self.server, self.home.pgpass)
        try:
            yield database
        finally:
            embedded.drop_database(database)


@contextmanager
def running_parts(*, with_kafka: bool) -> Iterator[Parts]:
    with ExitStack() as stack:
        home = stack.enter_context(embedded.temporary_home())
        os.environ["PGPASSFILE"] = str(home.pgpass)
        java = embedded.find_test_java(home)
        server = stack.enter_context(embedded.running_postgres(home, is_durable=True))
        bootstrap = stack.enter_context(embedded.running_kafka(home, java)).bootstrap if with_kafka else ""
        yield Parts(home, java, server, bootstrap)


def ask(url: str, query: str, parameters: tuple[object, ...] = ()) -> list[tuple[object, ...]]:
    """One statement outside of any measured time, in autocommit (so that CHECKPOINT is one)."""
    connection = psycopg2.connect(url)
    connection.autocommit = True
    try:
        with connection.cursor() as cursor:
            cursor.execute(query, parameters)
            return cursor.fetchall() if cursor.description else []
    finally:
        connection.close()
