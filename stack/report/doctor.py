"""`doctor`: looks at everything the platform stands on, and names the remedy for what is missing."""

import os
import sys
import tempfile
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

import psutil

from stack import indicators, source, state
from stack.errors import StackError
from stack.home import Home
from stack.java import jars
from stack.java.runtime import find_java
from stack.java.truststore import system_bundle
from stack.parts.postgres import open_server
from stack.ports import PREFERRED, Claims
from stack.supervision import control, leftovers

NEEDED_DISK_GB = 4
NEEDED_MEMORY_GB = 4


@dataclass(frozen=True, slots=True)
class Finding:
    is_well: bool
    what: str
    said: str


def examine(home: Home) -> Iterator[Finding]:
    """One finding after another, the cheap ones first."""
    version = ".".join(map(str, sys.version_info[:3]))
    yield Finding(True, "python", f"{version} in {sys.prefix}")
    yield disk(home)
    yield memory()
    yield guarded("java", java_words)
    yield guarded("postgresql", lambda: postgres_words(home))
    yield jar_finding(home)
    bundle = system_bundle()
    yield Finding(
        bundle is not None, "certificates", str(bundle) if bundle else "no PEM bundle: install ca-certificates"
    )
    yield guarded("indicators", indicators.check)
    yield secrets(home)
    yield from running(home)
    why = source.unreachable()
    yield Finding(
        True, "yahoo", "answers" if why is None else f"cannot be reached: {why}; --source simulator needs no connection"
    )


def guarded(what: str, words: Callable[[], str]) -> Finding:
    try:
        return Finding(True, what, words())
    except StackError as error:
        return Finding(False, what, error.sentence)


def java_words() -> str:
    with tempfile.TemporaryDirectory() as aside:  # a look makes nothing in a home
        java = find_java(Path(aside))
        where = "behind a wrapper" if java.home == Path(aside) else str(java.home)
    return f"{java.version}, {where}" + (" (brought along)" if java.is_bundled else "")


def postgres_words(home: Home) -> str:
    kept = state.load(home)
    server = open_server(home.data / "postgres", 0, kept.postgres_bin if kept else None)
    who = f", run as user {server.user.uid}" if server.user else ""
    return f"{server.bin_dir}{who}"


def jar_finding(home: Home) -> Finding:
    locked = jars.read_lock()
    bad = [
        name
        for conf in jars.CONFS
        for name in jars.wrong(jars.folder_of(home, conf), [j for j in locked if j.conf == conf])
    ]
    if not bad:
        return Finding(True, "jars", f"{len(locked)} jars as stack/java/jars.lock has them")
    if len(bad) == len(locked):
        return Finding(True, "jars", "not downloaded yet: the first `up` does")
    return Finding(False, "jars", f"{len(bad)} missing or altered ({bad[0]}, ...): the next `up` downloads them anew")


def disk(home: Home) -> Finding:
    free_gb = home.free_bytes() / 2**30
    told = f"{free_gb:.0f} GB free where {home.path} lies"
    if free_gb >= NEEDED_DISK_GB:
        return Finding(True, "disk", told)
    return Finding(False, "disk", f"{told}, {NEEDED_DISK_GB} GB are needed: free some, or use --home on another disk")


def memory() -> Finding:
    total_gb = psutil.virtual_memory().total / 2**30
    told = f"{total_gb:.1f} GB"
    if total_gb >= NEEDED_MEMORY_GB:
        return Finding(True, "memory", told)
    return Finding(False, "memory", f"{told}, {NEEDED_MEMORY_GB} GB are needed: run it on a larger machine")


def secrets(home: Home) -> Finding:
    if not home.secrets.exists():
        return Finding(True, "secrets", "none yet: the first `up` generates them")
    open_ones = [path.name for path in (home.secrets, *home.secrets.iterdir()) if path.stat().st_mode & 0o077]
    if open_ones:
        return Finding(
            False, "secrets", f"others can read {', '.join(open_ones)}: chmod go= {home.secrets} and its files"
        )
    return Finding(True, "secrets", f"{home.secrets}, readable by uid {os.geteuid()} alone")


def running(home: Home) -> Iterator[Finding]:
    """What runs, or whether it could: leftovers and ports."""
    kept = state.load(home)
    if control.is_running(home):
        pid = control.call(home, "status")["pid"]
        yield Finding(True, "supervisor", f"runs (pid {pid}): `candlestream status` has the rest")
        return
    left = leftovers.of_home(home)
    told = (
        f"not running; {len(left)} processes are left of it: `candlestream down` ends them" if left else "not running"
    )
    yield Finding(not left, "supervisor", told)
    claims = Claims()
    ports = kept.ports if kept and kept.ports else PREFERRED
    taken = [f"{name} {port}" for name, port in ports.items() if not claims.take(port)]
    claims.release()
    yield Finding(True, "ports", f"taken: {', '.join(taken)}; `up` moves these" if taken else "all free")
