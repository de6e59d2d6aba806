"""TCP ports on 127.0.0.1: the preferred ones, moved when taken, then kept in the home's state."""

import socket
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


class Reservation:
    """Ports held by listening sockets, so that another first `up` at the same time chooses others.

    Release a port right before its service starts.
    """

    def __init__(self) -> None:
        self._held: dict[str, socket.socket] = {}

    def take(self, name: str, port: int) -> bool:
        """Binds `port`; False when somebody has it. Port 0 takes any free one."""
        holder = socket.socket(socket.AF_INET, socket.SOCK_STREAM)
        # As servers bind: connections of our own last run that linger are no obstacle, somebody who listens is.
        holder.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            holder.bind((HOST, port))
            holder.listen(1)
        except OSError:
            holder.close()
            return False
        self._held[name] = holder
        return True

    def port(self, name: str) -> int:
        return int(self._held[name].getsockname()[1])

    def release(self, names: Iterable[str] | None = None) -> None:
        for name in list(self._held) if names is None else names:
            holder = self._held.pop(name, None)
            if holder is not None:
                holder.close()


def choose(names: Iterable[str], kept: Mapping[str, int], reservation: Reservation) -> dict[str, int]:
    """A free port for each name: the one kept from last time, else the preferred, else the next free one above it."""
    chosen: dict[str, int] = {}
    for name in names:
        preferred = PREFERRED[name]
        candidates = [kept.get(name, preferred), *range(preferred, preferred + SEARCH)]
        taken = set(chosen.values())
        port = next((p for p in candidates if p not in taken and reservation.take(name, p)), None)
        if port is None:
            last = preferred + SEARCH - 1
            raise StackError(Exit.PORT, f"no free port for {name} between {preferred} and {last}: end what holds them")
        chosen[name] = port
    return chosen


def free_port() -> int:
    """Any free port, for tests and benchmarks."""
    reservation = Reservation()
    reservation.take("any", 0)
    port = reservation.port("any")
    reservation.release()
    return port
