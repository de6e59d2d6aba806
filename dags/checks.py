"""Whether the stream is alive, from what the parts say of themselves. Pure, but for `read`."""

from dataclasses import dataclass

# The stream and the live service write their rows every few seconds.
SILENT_AFTER_S = 60.0
# The clock moves the offsets every second while the feed is connected.
STALE_AFTER_S = 180.0


@dataclass(frozen=True, slots=True)
class Observation:
    """Rows of `v1.service_status` and, for the events topic, of `v1.stream`; ages in seconds."""

    services: dict[str, tuple[str, str, float]]
    offsets_age_s: float | None
    behind_s: float | None


def complaint(seen: Observation) -> str | None:
    """What is wrong, in one sentence; None when nothing is."""
    for name, what in (("spark", "the stream"), ("ingestion", "the live service")):
        if name not in seen.services:
            return f"{what} has never reported: see `./candlestream logs {name}`"
        state, detail, age_s = seen.services[name]
        if age_s > SILENT_AFTER_S:
            return f"{what} has not reported for {age_s:.0f} s; its last word was {state}: {detail}"
    feed_state, feed_detail, _ = seen.services["ingestion"]
    if feed_state != "ok":
        # Without a feed there is no clock, and nothing for the stream to do. That is the live service's trouble, and it says so.
        return None
    if seen.offsets_age_s is None:
        return "the stream has not committed anything yet"
    if seen.offsets_age_s > STALE_AFTER_S:
        return f"the stream's last commit was {seen.offsets_age_s:.0f} s ago while the feed runs ({feed_detail})"
    if seen.behind_s is not None and seen.behind_s > STALE_AFTER_S:
        return f"the stream is {seen.behind_s:.0f} s behind the feed"
    return None


def read(url: str) -> Observation:
    """What the database says now. Raises psycopg2's OperationalError where it cannot be reached."""
    import psycopg2

    connection = psycopg2.connect(url, connect_timeout=5, application_name="candlestream-airflow")
    try:
        with connection.cursor() as cursor:
            cursor.execute("SELECT name, state, detail, age_s::float8 FROM v1.service_status")
            services = {name: (state, detail, age_s) for name, state, detail, age_s in cursor.fetchall()}
            cursor.execute(
                "SELECT max(age_s)::float8, extract(epoch FROM now() - min(complete_through))::float8"
                " FROM v1.stream WHERE topic LIKE '%market.events.%'"
            )
            offsets_age_s, behind_s = cursor.fetchone()
    finally:
        connection.close()
    return Observation(services, offsets_age_s, behind_s)
