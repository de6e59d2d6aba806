"""The proof that the platform runs: a candle that Spark computed from ingested data is in PostgreSQL."""

import time
from dataclasses import dataclass
from typing import Any

import psycopg2

from stack.errors import Exit, StackError
from stack.platform import Platform

LIMIT_S = 180.0
# A feed that has nothing to say keeps nobody waiting for longer than this.
QUIET_S = 20.0

CANDLE = """
SELECT symbol, timeframe, to_char(ts, 'HH24:MI'), close
FROM v1.bars WHERE updated_at > to_timestamp(%s) ORDER BY updated_at DESC, ts DESC LIMIT 1
"""
STORED = "SELECT count(*) FROM v1.latest"
OPEN_SESSIONS = """
SELECT count(*) FROM v1.sessions s JOIN v1.instruments i USING (calendar)
WHERE i.tracked AND i.state = 'ok' AND now() BETWEEN s.opens_at AND s.closes_at
"""
FEED = "SELECT state, detail FROM v1.service_status WHERE name = 'ingestion'"


@dataclass(frozen=True, slots=True)
class Candle:
    """What was found, in a sentence; `is_live` when it is newer than this start."""

    sentence: str
    is_live: bool


def wait_for_candle(platform: Platform, since_s: float) -> Candle:
    """A candle written since `since_s` (epoch seconds), or why there is none to expect: market closed, provider away."""
    began = time.monotonic()
    said = "PostgreSQL did not answer"
    while time.monotonic() - began < LIMIT_S:
        try:
            candle = look(platform, since_s, time.monotonic() - began)
            if candle is not None:
                return candle
            said = feed_state(platform)
        except psycopg2.Error as error:
            said = str(error).strip().splitlines()[0]
        time.sleep(0.25)
    logs = platform.home.logs
    raise StackError(
        Exit.NO_CANDLE, f"no candle within {LIMIT_S:.0f} s: {said} (logs: {logs}/ingestion.log, {logs}/spark.log)"
    )


def look(platform: Platform, since_s: float, waited_s: float) -> Candle | None:
    row = one(platform, CANDLE, (since_s,))
    if row:
        symbol, timeframe, at, close = row
        return Candle(f"{symbol} {timeframe} {at} UTC close {close:g}", is_live=True)
    if waited_s < QUIET_S:
        return None
    state, detail = one(platform, FEED, ()) or ("starting", "")
    stored = (one(platform, STORED, ()) or (0,))[0]
    if state in ("throttled", "retrying", "waiting"):
        return Candle(f"none yet: the feed says {state} {detail}".rstrip(), is_live=False)
    if stored and not (one(platform, OPEN_SESSIONS, ()) or (0,))[0]:
        return Candle("none since this start: the markets are closed; what is stored is shown", is_live=False)
    return None


def feed_state(platform: Platform) -> str:
    row = one(platform, FEED, ())
    return f"ingestion says {row[0]} {row[1]}".rstrip() if row else "ingestion has not reported"


def one(platform: Platform, query: str, values: tuple[object, ...]) -> tuple[Any, ...] | None:
    connection = psycopg2.connect(**platform.reader_dsn, connect_timeout=3)
    try:
        with connection.cursor() as cursor:
            cursor.execute(query, values)
            row: tuple[Any, ...] | None = cursor.fetchone()
            return row
    finally:
        connection.close()
