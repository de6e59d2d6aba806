"""A container's health check: `health.py http URL`, `health.py airflow URL PART` or `health.py status NAME`.

It asks over the way that users take, with the probes of the embedded platform. Exit 0 is well; 1 says why not.
"""

import os
import sys
from pathlib import Path

from stack.supervision.heartbeat import airflow_probe, http_probe, status_probe
from stack.supervision.process import Health


def ask(kind: str, *arguments: str) -> Health:
    if kind == "http":
        return http_probe(*arguments)()
    if kind == "airflow":
        return airflow_probe(*arguments)()
    return of_this_life(status_probe({"dsn": os.environ["CANDLESTREAM_DATABASE_URL"]}, *arguments)(), up_s())


def of_this_life(health: Health, up_s: float) -> Health:
    """The row in `service_status` outlives who wrote it: one from before the container's start says nothing of it."""
    if health.is_well and health.age_s is not None and health.age_s > up_s:
        return Health(False, "starting", "has not reported since its start")
    return health


def up_s(proc: Path = Path("/proc")) -> float:
    """Seconds since the container's first process started, on the kernel's own clock."""
    started_ticks = int((proc / "1" / "stat").read_text().rpartition(")")[2].split()[19])
    return float((proc / "uptime").read_text().split()[0]) - started_ticks / os.sysconf("SC_CLK_TCK")


if __name__ == "__main__":
    health = ask(*sys.argv[1:])
    sys.stdout.write(f"{health.state} {health.detail}".strip() + "\n")
    sys.exit(0 if health.is_well else 1)
