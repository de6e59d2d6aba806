"""A container's health check: `health.py http URL`, `health.py airflow URL PART` or `health.py status NAME`.

It asks over the way that users take, with the probes of the embedded platform. Exit 0 is well; 1 says why not.
"""

import os
import sys

from stack.heartbeat import airflow_probe, http_probe, status_probe
from stack.process import Health


def ask(kind: str, *arguments: str) -> Health:
    if kind == "http":
        return http_probe(*arguments)()
    if kind == "airflow":
        return airflow_probe(*arguments)()
    return status_probe({"dsn": os.environ["CANDLESTREAM_DATABASE_URL"]}, *arguments)()


if __name__ == "__main__":
    health = ask(*sys.argv[1:])
    sys.stdout.write(f"{health.state} {health.detail}".strip() + "\n")
    sys.exit(0 if health.is_well else 1)
