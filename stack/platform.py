"""A home's parts in one place: the server, the broker, their addresses and the environment of every process."""

import os
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from stack import state
from stack.errors import Exit, StackError
from stack.home import REPO, Home
from stack.java import jars
from stack.java.runtime import Java
from stack.parts import airflow, spark
from stack.parts.kafka import KafkaNode
from stack.parts.postgres import PostgresServer, open_server, programs_in
from stack.passwords import ADMIN_ROLE, MIGRATOR, READER, WRITER
from stack.ports import HOST
from stack.state import State
from stack.supervision.process import HOME_MARK

# Of the user's environment: what would change which code runs, or point our programs at somebody else's servers.
DROPPED = (
    "PG",
    "AIRFLOW",
    "SPARK_",
    "PYSPARK_",
    "KAFKA_",
    "PYTHON",
    "STREAMLIT_",
    "CANDLESTREAM_",
    "VIRTUAL_ENV",
    "JAVA_HOME",
)
# What a person may set for the processes, by the beginning of the name; a test holds it against their settings.
KEPT = (
    "CANDLESTREAM_SYMBOLS",
    "CANDLESTREAM_LOG_LEVEL",
    "CANDLESTREAM_PROVIDER",
    "CANDLESTREAM_REQUESTS_PER_MINUTE",
    "CANDLESTREAM_SILENCE_TIMEOUT_S",
    "CANDLESTREAM_PRODUCER_QUEUE_MB",
    "CANDLESTREAM_SIMULATOR_",
    "CANDLESTREAM_MAX_EVENTS",
    "CANDLESTREAM_MAX_HISTORY",
    "CANDLESTREAM_EXECUTORS_FROM",
    "CANDLESTREAM_MAX_JUMP",
    "CANDLESTREAM_QUIET_RECORDS_PER_S",
    "CANDLESTREAM_QUIET_CYCLE_S",
    "CANDLESTREAM_INDICATORS",
    "CANDLESTREAM_REFRESH_S",
)
PYTHON = Path(sys.executable)


@dataclass(frozen=True, slots=True)
class Platform:
    """Everything that follows from a home and its state."""

    home: Home
    state: State

    @property
    def ports(self) -> dict[str, int]:
        return self.state.ports

    @property
    def java(self) -> Java:
        if self.state.java_home is None:
            raise StackError(Exit.NOT_READY, "the first `up` did not get as far as finding Java: run `candlestream up`")
        return Java(self.state.java_home, self.state.java_version, self.state.java_is_bundled)

    def postgres(self) -> PostgresServer:
        return open_server(self.home.data / "postgres", self.ports["postgres"], self.state.postgres_bin)

    def kafka(self) -> KafkaNode:
        return KafkaNode(
            self.java,
            jars.paths(self.home, "kafka"),
            self.home.data / "kafka",
            self.home.conf / "kafka",
            self.ports["kafka"],
            self.ports["kafka_controller"],
        )

    def database_url(self, role: str) -> str:
        return f"postgresql://{role}@{HOST}:{self.ports['postgres']}/{self.state.database}"

    @property
    def reader_dsn(self) -> dict[str, Any]:
        """For our own look at the views."""
        return {"dsn": self.database_url(READER), "passfile": str(self.home.pgpass)}

    @property
    def admin_url(self) -> str:
        return f"postgresql://{ADMIN_ROLE}@{HOST}:{self.ports['postgres']}/postgres"

    def url(self, port: str, path: str = "") -> str:
        return f"http://{HOST}:{self.ports[port]}{path}"

    @property
    def ca_file(self) -> Path:
        """The simulated exchange's certificate authority, which it writes itself."""
        return self.home.path / "simulator" / "ca.pem"

    def variables(self) -> dict[str, str]:
        """What the platform itself adds to an environment: for its processes and for a person's shell alike."""
        added = {
            "PYTHONPATH": str(REPO),
            "PYTHONPYCACHEPREFIX": str(REPO / ".venv" / "pycache"),
            "PGHOST": HOST,
            "PGPORT": str(self.ports["postgres"]),
            "PGDATABASE": self.state.database,
            "PGUSER": READER,
            "PGPASSFILE": str(self.home.pgpass),
            "CANDLESTREAM_HOME": str(self.home.path),
            "CANDLESTREAM_SOURCE": self.state.source,
            "CANDLESTREAM_KAFKA_BOOTSTRAP": f"{HOST}:{self.ports['kafka']}",
            "CANDLESTREAM_TOPIC_PREFIX": self.state.topic_prefix,
            "CANDLESTREAM_DATABASE_URL": self.database_url(WRITER),
            "CANDLESTREAM_MIGRATOR_URL": self.database_url(MIGRATOR),
        }
        if self.state.source == "simulator":
            added["CANDLESTREAM_FEED_PROXY"] = self.url("simulator")
            added["CANDLESTREAM_FEED_CA"] = str(self.ca_file)
        added |= spark.environment(self.java, self.home.conf / "spark")
        added |= airflow.environment(self.home, self.ports)
        return added

    def path(self, inherited: str) -> str:
        """PATH with our programs first."""
        bin_dir = programs_in(self.state.postgres_bin)
        parts = [str(PYTHON.parent), str(bin_dir), str(self.java.home / "bin"), *inherited.split(os.pathsep)]
        return os.pathsep.join(dict.fromkeys(part for part in parts if part))

    def environment(self) -> dict[str, str]:
        """The whole environment of a process of the platform."""
        inherited = {
            name: value for name, value in os.environ.items() if name.startswith(KEPT) or not name.startswith(DROPPED)
        }
        local = f"{HOST},localhost"
        skipped = inherited.get("NO_PROXY") or inherited.get("no_proxy")
        skipped = f"{skipped},{local}" if skipped else local
        return (
            inherited
            | self.variables()
            | {
                "PATH": self.path(inherited.get("PATH", os.defpath)),
                "NO_PROXY": skipped,
                "no_proxy": skipped,
                "PYTHONUNBUFFERED": "1",
                "XDG_CACHE_HOME": str(self.home.path / "cache"),
                "NUMBA_CACHE_DIR": str(self.home.path / "cache" / "numba"),
                HOME_MARK: str(self.home.path),
            }
        )


def open_platform(home: Home) -> Platform:
    """The platform of a home that was started before."""
    return Platform(home, state.require(home))
