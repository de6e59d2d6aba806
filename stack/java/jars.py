"""Kafka's jars and Spark's connector: every one is named and hashed in `jars.lock`, downloaded once, checked at each start."""

import fcntl
import hashlib
import os
import shutil
from dataclasses import dataclass
from pathlib import Path
from xml.sax.saxutils import quoteattr

from stack.errors import Exit, StackError
from stack.home import Home
from stack.java.ivy import retrieve
from stack.java.runtime import Java

LOCK = Path(__file__).with_name("jars.lock")
CONFS = ("kafka", "spark")

# The lock names every jar, so Ivy need not read a single POM; the checksums are the lock's.
SETTINGS = """<ivysettings>
  <settings defaultResolver="central"/>
  <resolvers><ibiblio name="central" m2compatible="true" usepoms="false" checksums=""/></resolvers>
</ivysettings>
"""


@dataclass(frozen=True, slots=True)
class Jar:
    """A line of the lock."""

    conf: str
    organisation: str
    name: str
    revision: str
    sha256: str

    @property
    def file_name(self) -> str:
        return f"{self.name}-{self.revision}.jar"

    def line(self) -> str:
        return f"{self.conf} {self.organisation}:{self.name}:{self.revision} sha256:{self.sha256}"


def read_lock(path: Path = LOCK) -> list[Jar]:
    jars = []
    for line in path.read_text().splitlines():
        if line and not line.startswith("#"):
            conf, coordinates, digest = line.split()
            organisation, name, revision = coordinates.split(":")
            jars.append(Jar(conf, organisation, name, revision, digest.removeprefix("sha256:")))
    return jars


def sha256_of(path: Path) -> str:
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def wrong(folder: Path, jars: list[Jar]) -> list[str]:
    """The jars that are missing or are not what the lock says."""
    return [
        jar.file_name
        for jar in jars
        if not (folder / jar.file_name).is_file() or sha256_of(folder / jar.file_name) != jar.sha256
    ]


def folder_of(home: Home, conf: str) -> Path:
    return home.jars / conf


def paths(home: Home, conf: str) -> list[Path]:
    """The jars of a configuration, in the lock's order; never what else may lie in the folder."""
    return [folder_of(home, conf) / jar.file_name for jar in read_lock() if jar.conf == conf]


def ensure(home: Home, java: Java, conf: str) -> bool:
    """Brings the jars of a configuration if one is missing or altered. Returns whether it downloaded."""
    jars = [jar for jar in read_lock() if jar.conf == conf]
    folder = folder_of(home, conf)
    if not wrong(folder, jars):
        return False
    with (home.jars / f".{conf}.lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        if not wrong(folder, jars):
            return False
        download(home, java, conf, jars)
    return True


def download(home: Home, java: Java, conf: str, jars: list[Jar]) -> None:
    """Into a folder aside, verified there, then renamed. Raises `StackError` when the repository is away or altered."""
    folder = folder_of(home, conf)
    work = home.jars / f".{conf}.new"
    shutil.rmtree(work, ignore_errors=True)
    work.mkdir(parents=True)
    try:
        settings = work / "ivysettings.xml"
        settings.write_text(SETTINGS)
        chosen = os.environ.get("CANDLESTREAM_IVY_SETTINGS", str(settings))
        ivy_file = work / "ivy.xml"
        ivy_file.write_text(flat_ivy_file(conf, jars))
        retrieve(java, ivy_file, conf, work / "jars", work, "-settings", chosen)
        altered = wrong(work / "jars", jars)
        if altered:
            sentence = (
                f"{', '.join(altered)}: not what stack/java/jars.lock pins; try again, or from another repository"
            )
            raise StackError(Exit.JARS_CHANGED, sentence)
        shutil.rmtree(folder, ignore_errors=True)
        (work / "jars").rename(folder)
    finally:
        shutil.rmtree(work, ignore_errors=True)


def flat_ivy_file(conf: str, jars: list[Jar]) -> str:
    """The lock as an Ivy module: each jar for itself."""
    dependencies = "\n".join(
        f"<dependency org={quoteattr(jar.organisation)} name={quoteattr(jar.name)} rev={quoteattr(jar.revision)} "
        f'transitive="false" conf="{conf}->default"/>'
        for jar in jars
    )
    return (
        '<ivy-module version="2.0"><info organisation="candlestream" module="locked"/>'
        f'<configurations><conf name="{conf}"/></configurations><dependencies>{dependencies}</dependencies></ivy-module>'
    )
