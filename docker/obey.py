"""`obey.py SERVICE COMMAND...`: runs a service's command, and ends it when a row of `core.control` orders a restart.

Under compose this is what obeys: the container ends with `RESTART`, and its restart policy starts it anew. It is a process of its
own, since a service that stands still obeys nothing. Signals and the command's exit code are passed on.
"""

import os
import signal
import subprocess
import sys
import time
from collections.abc import Sequence

import psycopg2
import structlog

from stack.log import configure as configure_log
from stack.supervision.orders import EXPIRES_S, LOOK_S

# EX_TEMPFAIL: it ends to be started again.
RESTART = 75
# Less than compose's stop_grace_period; the stream's last batch and the producer's queue are done by then.
GRACE_S = 15.0
CONNECT_TIMEOUT_S = 3

TAKE = f"""
UPDATE core.control SET state = CASE WHEN asked_at < now() - interval '{EXPIRES_S} seconds' THEN 'expired' ELSE 'done' END,
       detail = CASE WHEN asked_at < now() - make_interval(secs => %(age_s)s) THEN 'it had been started anew by then' ELSE '' END,
       settled_at = now()
WHERE state = 'asked' AND service = %(service)s
RETURNING id, reason, state = 'done' AND asked_at >= now() - make_interval(secs => %(age_s)s)
"""  # noqa: S608  (a constant)

log = structlog.get_logger(service="obey")


def ordered(url: str, service: str, age_s: float) -> bool:
    """Takes the orders for a service that has run for so long: whether it is to obey one. A database that is away has none."""
    try:
        connection = psycopg2.connect(url, connect_timeout=CONNECT_TIMEOUT_S, application_name="obey")
    except psycopg2.Error as error:
        log.debug("orders cannot be asked for", detail=str(error).strip().splitlines()[0])
        return False
    try:
        with connection, connection.cursor() as cursor:
            cursor.execute(TAKE, {"service": service, "age_s": age_s})
            orders = cursor.fetchall()
    except psycopg2.Error as error:
        log.warning("orders cannot be read", detail=str(error).strip().splitlines()[0])
        return False
    finally:
        connection.close()
    for order, reason, is_meant in orders:
        log.warning("order", id=order, ordered=service, verb="restart", reason=reason, obeyed=is_meant)
    return any(is_meant for _, _, is_meant in orders)


def run(service: str, command: Sequence[str], url: str, look_s: float = LOOK_S, grace_s: float = GRACE_S) -> int:
    """The exit code: the command's own (128 and its number for a signal, as a shell has it), or `RESTART`."""
    child = subprocess.Popen(command, process_group=0)
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, lambda number, _: tell(child, number))
    began_s = time.monotonic()
    while True:
        try:
            code = child.wait(look_s)
        except subprocess.TimeoutExpired:
            if ordered(url, service, time.monotonic() - began_s):
                end(child, grace_s)
                return RESTART
        else:
            return code if code >= 0 else 128 - code


def tell(child: "subprocess.Popen[bytes]", number: int) -> None:
    """To the whole group: spark-submit's Python is a child of its JVM."""
    try:
        os.killpg(child.pid, number)
    except ProcessLookupError:
        log.debug("gone already", signal=number)


def end(child: "subprocess.Popen[bytes]", grace_s: float) -> None:
    """Asks, then kills: who stands still does not answer."""
    tell(child, signal.SIGTERM)
    try:
        child.wait(grace_s)
    except subprocess.TimeoutExpired:
        log.warning("does not stop, killing it", after_s=grace_s)
    tell(child, signal.SIGKILL)
    child.wait()


if __name__ == "__main__":
    configure_log()
    sys.exit(run(sys.argv[1], sys.argv[2:], os.environ["CANDLESTREAM_DATABASE_URL"]))
