"""Whether the stream is alive, from what the parts say of themselves. Pure, but for `read` and `order_restart`."""

from dataclasses import dataclass

from dags.database import connected

# The stream and the live service write their rows every few seconds.
SILENT_AFTER_S = 60.0
# The clock moves the offsets every second while the feed is connected.
STALE_AFTER_S = 180.0
# What stands still in these has a reason of its own: it waits for another part, or its start takes long (a recomputation of all
# that is stored, a busy machine) and would only begin anew.
PATIENT = frozenset({"waiting", "starting"})
# A restart that did not help is not repeated at once.
ORDER_AGAIN_AFTER_S = 900.0

# Of each partition the newest row: a topic that was made anew has its own, and those of the old one stand still for ever.
# One that has met no clock yet says nothing of how far it is.
EVENTS = """
SELECT max(age_s)::float8, extract(epoch FROM now() - min(nullif(complete_through, to_timestamp(0))))::float8
FROM (SELECT DISTINCT ON (topic, partition) age_s, complete_through FROM v1.stream WHERE topic LIKE '%market.events.%'
      ORDER BY topic, partition, updated_at DESC) AS newest
"""


@dataclass(frozen=True, slots=True)
class Observation:
    """Rows of `v1.service_status` and, for the events topic, of `v1.stream`; ages in seconds."""

    services: dict[str, tuple[str, str, float]]
    offsets_age_s: float | None
    behind_s: float | None


@dataclass(frozen=True, slots=True)
class Complaint:
    """What is wrong with which service, in one sentence; `restart_helps` where it stands still without a reason of its own."""

    service: str
    sentence: str
    restart_helps: bool = False


def complaint(seen: Observation) -> Complaint | None:
    """What is wrong; None when nothing is."""
    for name, what in (("spark", "the stream"), ("ingestion", "the live service")):
        if name not in seen.services:
            return Complaint(name, f"{what} has never reported: see `./candlestream logs {name}`")
        state, detail, age_s = seen.services[name]
        if age_s > SILENT_AFTER_S:
            sentence = f"{what} has not reported for {age_s:.0f} s; its last word was {state}: {detail}"
            # One that was stopped on purpose stays stopped.
            return Complaint(name, sentence, restart_helps=state != "stopped")
    feed_state, feed_detail, _ = seen.services["ingestion"]
    if feed_state != "ok":
        # Without a feed there is no clock, and nothing for the stream to do. That is the live service's trouble, and it says so.
        return None
    if seen.offsets_age_s is None:
        return Complaint("spark", "the stream has not committed anything yet")
    if seen.offsets_age_s > STALE_AFTER_S:
        sentence = f"the stream's last commit was {seen.offsets_age_s:.0f} s ago while the feed runs ({feed_detail})"
        return Complaint("spark", sentence, restart_helps=seen.services["spark"][0] not in PATIENT)
    if seen.behind_s is not None and seen.behind_s > STALE_AFTER_S:
        # It commits, and will catch up; a restart would only cost it time.
        return Complaint("spark", f"the stream is {seen.behind_s:.0f} s behind the feed")
    return None


def read(url: str) -> Observation:
    """What the database says now. Raises psycopg2's OperationalError where it cannot be reached."""
    with connected(url) as cursor:
        cursor.execute("SELECT name, state, detail, age_s::float8 FROM v1.service_status")
        services = {name: (state, detail, age_s) for name, state, detail, age_s in cursor.fetchall()}
        cursor.execute(EVENTS)
        offsets_age_s, behind_s = cursor.fetchone()
    return Observation(services, offsets_age_s, behind_s)


def order_restart(url: str, wrong: Complaint) -> bool:
    """Asks the supervisor to restart the service, unless it was asked a short while ago. Whether it was asked now."""
    with connected(url) as cursor:
        cursor.execute(
            "INSERT INTO core.control (service, verb, asked_by, reason) SELECT %s, 'restart', 'airflow stream_check', %s"
            " WHERE NOT EXISTS (SELECT FROM core.control WHERE service = %s AND asked_at > now() - make_interval(secs => %s))"
            " ON CONFLICT DO NOTHING RETURNING 1",
            (wrong.service, wrong.sentence, wrong.service, ORDER_AGAIN_AFTER_S),
        )
        return cursor.fetchone() is not None
