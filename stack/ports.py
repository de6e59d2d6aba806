"""TCP ports on 127.0.0.1: the preferred ones, moved when taken, then kept in the home's state."""

import socket
import sys
from collections.abc import Iterable, Mapping

from stack.errors import Exit, StackError

HOST = "127.0.0.1"

# All lie below the kernel's range of ports for outgoing connections, which starts at 32768.
PREFERRED = {
    "postgres": 5432,
    "kafka": 9092,
    "kafka_controller": 9093,
    "simulator": 8899,
    "airflow": 8080,
    "dashboard": 8501,
    "spark_ui": 4040,
    "ingestion_metrics": 9101,
    "spark_metrics": 9102,
    "simulator_metrics": 9103,
}
SEARCH = 400


class Claims:
    """Ports that are ours, even while their service has not come as far as listening: another platform passes them over.

    A claim is a name in the kernel's abstract socket namespace: it goes with the process that holds it, whatever ends that.
    Other programs know nothing of claims; for them a port is tried by listening on it for an instant.
    """

    def __init__(self) -> None:
        self._held: dict[int, socket.socket] = {}

    def take(self, port: int) -> bool:
        """Claims a port; False when somebody claims it or listens there."""
        claim = socket.socket(socket.AF_UNIX)
        try:
            if sys.platform == "linux":
                claim.bind(f"\0candlestream-port-{port}")
            with socket.socket() as trial:
                # As servers bind: connections of our own last run that linger are no obstacle.
                trial.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
                trial.bind((HOST, port))
                trial.listen(1)
        except OSError:
            claim.close()
            return False
        self._held[port] = claim
        return True

    def release(self) -> None:
        for claim in self._held.values():
            claim.close()
        self._held.clear()


def choose(names: Iterable[str], kept: Mapping[str, int], claims: Claims) -> dict[str, int]:
    """A free port for each name: the one kept from last time, else the preferred, else the next free one above it."""
    chosen: dict[str, int] = {}
    for name in names:
        preferred = PREFERRED[name]
        candidates = [kept.get(name, preferred), *range(preferred, preferred + SEARCH)]
        taken = set(chosen.values())
        port = next((p for p in candidates if p not in taken and claims.take(p)), None)
        if port is None:
            last = preferred + SEARCH - 1
            raise StackError(Exit.PORT, f"no free port for {name} between {preferred} and {last}: end what holds them")
        chosen[name] = port
    return chosen


def free_port() -> int:
    """Any free port, for tests and benchmarks."""
    with socket.socket() as trial:
        trial.bind((HOST, 0))
        return int(trial.getsockname()[1])
