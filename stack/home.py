"""The one folder that holds all state of a platform, and where each thing lies in it."""

import os
import shutil
from dataclasses import dataclass
from pathlib import Path

from stack.errors import Exit, StackError

REPO = Path(__file__).resolve().parent.parent
DEFAULT_HOME = REPO / ".candlestream"
# Less is not worth beginning with: PostgreSQL stops in the middle of a write when its disk is full.
LEAST_FREE_BYTES = 1 << 30


@dataclass(frozen=True, slots=True)
class Home:
    """Paths below the home. `prepare` makes the folders; everything in `run` and `conf` is made anew at each start."""

    path: Path

    @property
    def state_file(self) -> Path:
        return self.path / "state.json"

    @property
    def secrets(self) -> Path:
        return self.path / "secrets"

    @property
    def pgpass(self) -> Path:
        return self.secrets / "pgpass"

    @property
    def data(self) -> Path:
        return self.path / "data"

    @property
    def jars(self) -> Path:
        return self.path / "jars"

    @property
    def conf(self) -> Path:
        return self.path / "conf"

    @property
    def logs(self) -> Path:
        return self.path / "logs"

    @property
    def run(self) -> Path:
        return self.path / "run"

    @property
    def airflow(self) -> Path:
        return self.path / "airflow"

    @property
    def java(self) -> Path:
        return self.path / "java"

    @property
    def spark(self) -> Path:
        """Spark's scratch space. Its throw-away checkpoints are the job's own, in `checkpoints`."""
        return self.path / "spark"

    def made(self, *, with_jars: bool) -> list[Path]:
        """What the platform made here and `reset` deletes: never anything else that lies in the folder."""
        folders = [self.secrets, self.data, self.conf, self.logs, self.run, self.airflow, self.java, self.spark]
        folders += [self.path / name for name in ("simulator", "ingestion", "checkpoints", "cache")]
        return [path for path in (self.state_file, *folders, *([self.jars] if with_jars else [])) if path.exists()]

    def free_bytes(self) -> int:
        """What is free on the disk that the home lies or will lie on."""
        return shutil.disk_usage(self.nearest).free

    @property
    def nearest(self) -> Path:
        """The home, or the folder above it that is there already."""
        return next(folder for folder in (self.path, *self.path.parents) if folder.exists())

    def prepare(self) -> None:
        """Makes the folders. Raises `StackError` where the disk or the owner does not allow it."""
        free = self.free_bytes()
        if not shutil.disk_usage(self.nearest).total:
            raise StackError(Exit.HOME, f"{self.path} is on no disk: choose another folder with --home")
        if free < LEAST_FREE_BYTES:
            raise StackError(
                Exit.DISK,
                f"{free / 2**30:.1f} GB are free where {self.path} lies and 1 GB is the least: free some, or use --home",
            )
        try:
            self.path.mkdir(parents=True, exist_ok=True)
            for folder in (self.data, self.jars, self.conf, self.logs, self.run, self.airflow, self.spark):
                folder.mkdir(exist_ok=True)
            self.secrets.mkdir(mode=0o700, exist_ok=True)
        except OSError as error:
            raise StackError(
                Exit.HOME, f"cannot write to {self.path} ({error.strerror}): choose another with --home"
            ) from error
        owner = self.path.stat().st_uid
        if owner != os.geteuid():
            raise StackError(
                Exit.HOME,
                f"{self.path} belongs to user {owner}: run as that user, or choose another folder with --home",
            )


def open_home(path: Path | None) -> Home:
    """The home at `path`, at the default place without one. Nothing is made yet."""
    return Home((path or DEFAULT_HOME).expanduser().absolute())
