"""Environments and jars of the peers: made once, in the user's cache folder, at pinned versions."""

import hashlib
import importlib.util
import subprocess
import sys
from pathlib import Path

from bench.kit import CACHE
from stack.home import Home
from stack.java.jars import Jar, download, wrong
from stack.java.runtime import Java

HERE = Path(__file__).parent
JDBC = Jar(
    "jdbc", "org.postgresql", "postgresql", "42.7.8", "2a32a9dcbc42d67a50ad3a0de5efd102c8d2be46720045f2cbd6689f160ab7c7"
)


def quix_python() -> Path:
    """An interpreter that has Quix Streams as bench/peers/quix.txt pins it."""
    pins = HERE / "quix.txt"
    folder = CACHE / f"quix-{hashlib.sha256(pins.read_bytes()).hexdigest()[:12]}"
    python = folder / "bin" / "python"
    done = folder / "complete"
    if not done.exists():
        if importlib.util.find_spec("uv") is None:
            raise SystemExit("uv is missing: install the development extra")
        uv = [sys.executable, "-m", "uv", "-q"]
        subprocess.run([*uv, "venv", "--clear", "--python", sys.executable, str(folder)], check=True)
        subprocess.run([*uv, "pip", "install", "--python", str(python), "--requirements", str(pins)], check=True)
        done.touch()
    return python


def jdbc_jar(java: Java) -> Path:
    """PostgreSQL's JDBC driver, by its coordinates."""
    home = Home(CACHE)
    home.jars.mkdir(parents=True, exist_ok=True)
    folder = home.jars / JDBC.conf
    if wrong(folder, [JDBC]):
        download(home, java, JDBC.conf, [JDBC])
    return folder / JDBC.file_name
