"""Spark's Java classes, read and verified once: an archive that each start of the stream maps into its memory.

Half of a start's processor time goes into reading, parsing and verifying some ten thousand classes. The JVM can write them down as
it holds them (class data sharing, JEP 310). What an archive was made of is in its name, so that another Java or another pyspark has
another one; the JVM itself checks it, too. Without one a start works as well and takes longer.

`python -m stack.java.classes` makes it where it is missing.
"""

import fcntl
import hashlib
import os
import shutil
import subprocess
import sys
import tempfile
from pathlib import Path

from stack.errors import Exit, StackError
from stack.home import LEAST_FREE_BYTES, REPO, Home, open_home
from stack.java import jars
from stack.java.ivy import pyspark_folder
from stack.java.runtime import Java, bundled_java, find_java
from stack.parts import spark

FOLDER = REPO / ".venv" / "classes"
REHEARSAL = REPO / "spark_jobs" / "rehearsal.py"
LIMIT_S = 900.0


def archive_of(java: Java, folder: Path = FOLDER) -> Path | None:
    """Where the archive of this Java and this pyspark is or would be; None where it cannot be told which Java it is."""
    bundled = bundled_java() if java.is_bundled else None
    runtime = (bundled.parents[1] if bundled else java.home) / "lib" / "modules"
    if not runtime.is_file():
        return None
    parts = [runtime, *sorted(jar_folder().glob("*.jar"))]
    about = "".join(f"{part}:{part.stat().st_size}:{part.stat().st_mtime_ns}\n" for part in parts)
    return folder / f"spark-{hashlib.sha256(about.encode()).hexdigest()[:16]}.jsa"


def jar_folder() -> Path:
    """As the JVM is to name it, however it was reached: an archive is for one class path."""
    return (pyspark_folder() / "jars").resolve()


def class_path() -> str:
    """Spark's jars alone. An archive is of no use where a folder, such as Spark's configuration, is on the path."""
    return f"{jar_folder()}/*"


def options(java: Java) -> str:
    """What a driver's JVM is told, so that it uses the archive as soon as there is one."""
    archive = archive_of(java)
    return f'-cp "{class_path()}" -XX:SharedArchiveFile="{archive}"' if archive else ""


def make(home: Home, java: Java, folder: Path = FOLDER) -> bool:
    """Makes the archive where it is missing and nobody is at it, which takes a core for a minute.

    Returns whether it did. Raises `StackError` when it cannot; nothing half-made is left.
    """
    archive = archive_of(java, folder)
    if archive is None or archive.exists():
        return False
    folder.mkdir(parents=True, exist_ok=True)
    with (folder / "making.lock").open("w") as lock:
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            return False
        for old in folder.iterdir():
            if old.is_dir():  # of one that was killed
                shutil.rmtree(old)
        if shutil.disk_usage(folder).free < LEAST_FREE_BYTES:
            raise StackError(Exit.DISK, f"no archive of Spark's classes: less than 1 GB is free where {folder} lies")
        with tempfile.TemporaryDirectory(prefix="making-", dir=folder) as work:
            made = dump(java, rehearse(home, java, Path(work)), Path(work))
            with made.open("rb") as file:
                os.fsync(file.fileno())
            made.rename(archive)
        for other in folder.glob("*.jsa"):
            if other != archive:
                other.unlink()
    return True


def rehearse(home: Home, java: Java, work: Path) -> Path:
    """Starts Spark as the stream does, on nothing; gives the list of the classes that were loaded."""
    loaded = work / "loaded"
    noted = f'-cp "{class_path()}" -XX:DumpLoadedClassList="{loaded}"'
    spark.render_conf(work / "conf", jars.paths(home, "spark"), work / "spark", {"spark.ui.port": "0"}, noted)
    variables = os.environ | {"PYTHONPATH": str(REPO)} | spark.environment(java, work / "conf")
    run([str(Path(sys.executable).parent / "spark-submit"), str(REHEARSAL)], work, variables)
    return loaded


def dump(java: Java, loaded: Path, work: Path) -> Path:
    """The archive of the classes in a list."""
    made = work / "archive.jsa"
    named = [f"-XX:SharedClassListFile={loaded}", f"-XX:SharedArchiveFile={made}", "-cp", class_path()]
    run([java.program, "-Xshare:dump", "-XX:+UseSerialGC", "-XX:TieredStopAtLevel=1", *named], work, dict(os.environ))
    return made


def run(command: list[str], work: Path, variables: dict[str, str]) -> None:
    done = subprocess.run(
        command,
        check=False,
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        errors="replace",
        env=variables,
        cwd=work,
        timeout=LIMIT_S,
    )
    if done.returncode:
        last = " ".join((done.stderr or done.stdout).strip().splitlines()[-1:])
        raise StackError(Exit.JAVA, f"no archive of Spark's classes: {command[0]} gave {done.returncode}: {last}")


def main() -> int:
    set_home = os.environ.get("CANDLESTREAM_HOME")
    home = open_home(Path(set_home) if set_home else None)
    try:
        home.jars.mkdir(parents=True, exist_ok=True)
        java = find_java(home.java)
        jars.ensure(home, java, "spark")
        make(home, java)
    except StackError as error:
        sys.stderr.write(f"{error.sentence}\n")
        return error.code
    except (OSError, subprocess.TimeoutExpired) as error:
        sys.stderr.write(f"no archive of Spark's classes: {error}\n")
        return Exit.JAVA
    return 0


if __name__ == "__main__":
    sys.exit(main())
