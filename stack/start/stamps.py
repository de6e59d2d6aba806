"""Migrations cost seconds, so they run only when something changed: their code, the passwords or the database."""

import hashlib
from collections.abc import Iterator
from contextlib import contextmanager
from importlib.metadata import version
from pathlib import Path

from stack.home import REPO, Home
from stack.state import State


@contextmanager
def only_when_changed(home: Home, name: str, stamp: str) -> Iterator[bool]:
    """Yields whether the work is due. The stamp is kept when the work ended without an error."""
    path = home.data / f"{name}.stamp"
    is_due = not path.exists() or path.read_text() != stamp
    if is_due:
        path.unlink(missing_ok=True)
    yield is_due
    if is_due:
        path.write_text(stamp)


def cluster(home: Home) -> str:
    """Which PostgreSQL cluster: another one after `reset`."""
    made = (home.data / "postgres" / "PG_VERSION").stat()
    return f"{made.st_ino}.{made.st_mtime_ns}"


def tree(folder: Path) -> str:
    """The content of a folder's sources."""
    digest = hashlib.sha256()
    for path in sorted(folder.rglob("*")):
        if path.suffix in (".py", ".sql"):
            digest.update(path.relative_to(folder).as_posix().encode() + b"\0" + path.read_bytes())
    return digest.hexdigest()


def schema(home: Home, state: State) -> str:
    secrets = hashlib.sha256(home.pgpass.read_bytes()).hexdigest()
    return f"{tree(REPO / 'sql')} {secrets} {state.database} {cluster(home)}\n"


def airflow(home: Home) -> str:
    return f"{version('apache-airflow-core')} {cluster(home)}\n"
