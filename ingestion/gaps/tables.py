"""The gap ledger's reads and writes in PostgreSQL: one function a statement."""

import json
from collections.abc import Mapping, Sequence
from datetime import date
from typing import NamedTuple

from ingestion.database import Database
from ingestion.gaps.coverage import Covered
from ingestion.gaps.ledger import REASONS, Range, Row, Span, Verdict, Volume
from ingestion.providers.base import DAY_MS
from ingestion.tables import timestamp
from market.bars import PROVIDER_COMPLETE
from market.calendars import Session
from market.timeframes import MINUTE_MS

MS = "(extract(epoch FROM {}) * 1000)::bigint"


def note_coverage(database: Database, symbol: str, pieces: Sequence[Covered]) -> None:
    """Adds to what the provider has spoken for. To be called once the answer's records are with the broker."""
    if not pieces:
        return
    database.run(
        "INSERT INTO core.coverage AS c (symbol, session_date, covered, fetched_at, whole_at)"
        " SELECT %s, d, range_agg(tstzrange(a, b)), max(f), max(f) FILTER (WHERE w)"
        " FROM unnest(%s::date[], %s::timestamptz[], %s::timestamptz[], %s::timestamptz[], %s::boolean[]) AS p (d, a, b, f, w)"
        " GROUP BY d ON CONFLICT (symbol, session_date) DO UPDATE"
        " SET covered = c.covered + EXCLUDED.covered, fetched_at = greatest(c.fetched_at, EXCLUDED.fetched_at),"
        "   whole_at = greatest(c.whole_at, EXCLUDED.whole_at)",
        (
            symbol,
            [piece.session_date for piece in pieces],
            [timestamp(piece.start_ms) for piece in pieces],
            [timestamp(piece.end_ms) for piece in pieces],
            [timestamp(piece.fetched_ms) for piece in pieces],
            [piece.is_whole for piece in pieces],
        ),
    )


def coverage(database: Database, since: date) -> dict[str, dict[date, list[Range]]]:
    """Symbol → session → what the provider has spoken for of it."""
    rows = database.run(
        f"SELECT symbol, session_date, {MS.format('lower(r)')}, {MS.format('upper(r)')}"  # noqa: S608  (constants)
        " FROM core.coverage, unnest(covered) AS r WHERE session_date >= %s ORDER BY 1, 2, 3",
        (since,),
    )
    found: dict[str, dict[date, list[Range]]] = {}
    for symbol, day, start_ms, end_ms in rows:
        found.setdefault(symbol, {}).setdefault(day, []).append((start_ms, end_ms))
    return found


def looked(database: Database, since: date) -> dict[str, dict[date, int]]:
    """Symbol → session → when one answer last spoke for all of it."""
    found: dict[str, dict[date, int]] = {}
    for symbol, day, at_ms in database.run(
        f"SELECT symbol, session_date, {MS.format('whole_at')} FROM core.coverage"  # noqa: S608  (constants)
        " WHERE session_date >= %s AND whole_at IS NOT NULL",
        (since,),
    ):
        found.setdefault(symbol, {})[day] = at_ms
    return found


class Minutes(NamedTuple):
    """The starts of a session's regular minutes that are closed; `unconfirmed` have no complete row of the provider."""

    present: list[int]
    unconfirmed: list[int]


def minutes(database: Database, symbol: str, since_ms: int) -> dict[date, Minutes]:
    """By session."""
    minute = "(extract(epoch FROM ts) / 60)::integer"
    rows = database.run(
        f"SELECT session_date, array_agg({minute} ORDER BY ts),"  # noqa: S608  (constants)
        f" array_agg({minute} ORDER BY ts) FILTER (WHERE origin <> {PROVIDER_COMPLETE}) FROM core.bars"
        " WHERE symbol = %s AND timeframe = '1m' AND session = 'regular' AND ts >= %s AND is_closed GROUP BY session_date",
        (symbol, timestamp(since_ms)),
    )
    return {
        day: Minutes(*([minute * MINUTE_MS for minute in found or ()] for found in columns)) for day, *columns in rows
    }


def traded_days(database: Database, symbols: Sequence[str], session: Session) -> dict[str, float | None]:
    """Symbol → the volume of its daily row, of those whose complete one the provider has given; None where nothing has volume."""
    rows = database.run(
        "SELECT symbol, volume FROM core.bars WHERE symbol = ANY(%s) AND timeframe = '1d' AND session_date = %s"
        " AND ts > %s AND ts < %s AND origin = %s AND volume IS DISTINCT FROM 0",
        (
            list(symbols),
            session.session_date,
            timestamp(session.open_ms - DAY_MS),
            timestamp(session.close_ms),
            PROVIDER_COMPLETE,
        ),
    )
    return dict(rows)


def volumes(database: Database, symbol: str, start_ms: int, end_ms: int) -> dict[int, Volume]:
    rows = database.run(
        f"SELECT {MS.format('ts')}, first_volume, day_volume, CASE WHEN provider_ms > 0 THEN volume END FROM core.bars"  # noqa: S608
        " WHERE symbol = %s AND timeframe = '1m' AND session = 'regular' AND ts >= %s AND ts < %s",
        (symbol, timestamp(start_ms), timestamp(end_ms)),
    )
    return {ts_ms: Volume(first, last, own) for ts_ms, first, last, own in rows}


def outages(database: Database, since_ms: int) -> list[Range]:
    """When nobody listened, or what was heard was lost: the rows of `core.gaps` that are about no symbol."""
    rows = database.run(
        f"SELECT {MS.format('starts_at')}, {MS.format('ends_at')} FROM core.gaps"  # noqa: S608  (constants)
        " WHERE session_date IS NULL AND ends_at >= %s ORDER BY starts_at",
        (timestamp(since_ms),),
    )
    return [(start_ms // MINUTE_MS * MINUTE_MS, end_ms) for start_ms, end_ms in rows]


def troubles(database: Database, since_ms: int) -> list[Range]:
    """When the provider would not answer."""
    rows = database.run(
        f"SELECT {MS.format('starts_at')}, {MS.format('ends_at')} FROM core.provider_trouble"  # noqa: S608
        " WHERE ends_at >= %s ORDER BY starts_at",
        (timestamp(since_ms),),
    )
    return [(start_ms, end_ms) for start_ms, end_ms in rows]


def refused_minutes(database: Database, since_ms: int) -> dict[str, set[int]]:
    """Symbol → the starts of the minutes whose rows ingestion refused; of the newest ten thousand letters."""
    rows = database.run(
        "SELECT symbol, payload FROM core.dead_letters WHERE stage = 'ingestion' AND symbol <> '' AND created_at >= %s"
        " ORDER BY created_at DESC LIMIT 10000",
        (timestamp(since_ms),),
    )
    found: dict[str, set[int]] = {}
    for symbol, payload in rows:
        try:
            body = json.loads(bytes(payload))
            # A row of a file says nothing about the provider.
            if isinstance(body, dict) and body.get("timeframe") == "1m" and "file" not in body:
                minute_ms = int(body["ts_ms"]) // MINUTE_MS * MINUTE_MS
                found.setdefault(symbol, set()).add(minute_ms)
        except (ValueError, KeyError, TypeError, OverflowError):
            # A frame of the feed or a whole answer: of no single minute.
            continue
    return found


def settled_sessions(database: Database, symbol: str, since: date) -> set[date]:
    rows = database.run(
        "SELECT session_date FROM core.session_ledger WHERE symbol = %s AND session_date >= %s AND is_settled",
        (symbol, since),
    )
    return {row[0] for row in rows}


def rows_of(database: Database, symbol: str, day: date) -> list[Row]:
    """What the ledger says is missing of a session."""
    return [
        Row(*row)
        for row in database.run(
            f"SELECT id, {MS.format('starts_at')}, {MS.format('ends_at')}, reason, detail, state FROM core.gaps"  # noqa: S608
            " WHERE symbol = %s AND session_date = %s AND state <> 'repaired' ORDER BY starts_at",
            (symbol, day),
        )
    ]


def write(
    database: Database,
    symbol: str,
    day: date,
    verdict: Verdict,
    gone: Sequence[Row],
    new: Sequence[Span],
    repaired: Sequence[Span],
    disagree: int,
    day_agrees: bool | None,
) -> None:
    """A session's change in one statement: rows that are no more, rows that are new, what was repaired, and its counts."""
    entries = [(span, "open" if span.is_repairable else "accepted") for span in new]
    entries += [(span, "repaired") for span in repaired]
    counts: Mapping[str, int] = {reason: verdict.count(reason) for reason in REASONS}
    database.run(
        "WITH gone AS (DELETE FROM core.gaps WHERE id = ANY(%s) RETURNING starts_at, ends_at, found_at),"
        " added AS (INSERT INTO core.gaps (symbol, session_date, starts_at, ends_at, minutes, reason, detail, state, found_at,"
        "   settled_at)"
        "   SELECT %s, %s, a, b, m, r, d, s, coalesce((SELECT min(found_at) FROM gone g WHERE g.starts_at < b AND g.ends_at > a),"
        "   now()), CASE WHEN s <> 'open' THEN now() END"
        "   FROM unnest(%s::timestamptz[], %s::timestamptz[], %s::integer[], %s::text[], %s::text[], %s::text[])"
        "   AS n (a, b, m, r, d, s))"
        " INSERT INTO core.session_ledger AS l (symbol, session_date, expected, present, pending, no_trade, provider_gap,"
        "   throttled, our_outage, unconfirmed, closed, repaired, is_settled, disagree, day_agrees, confirmed)"
        " VALUES (%s, %s, %s, %s, %s, %s, %s, %s, %s, %s, %s, %s, %s, %s, %s, %s)"
        " ON CONFLICT (symbol, session_date) DO UPDATE SET expected = EXCLUDED.expected, present = EXCLUDED.present,"
        "   pending = EXCLUDED.pending, no_trade = EXCLUDED.no_trade, provider_gap = EXCLUDED.provider_gap,"
        "   throttled = EXCLUDED.throttled, our_outage = EXCLUDED.our_outage, unconfirmed = EXCLUDED.unconfirmed,"
        "   closed = EXCLUDED.closed, repaired = l.repaired + EXCLUDED.repaired, is_settled = EXCLUDED.is_settled,"
        "   disagree = EXCLUDED.disagree, day_agrees = EXCLUDED.day_agrees, confirmed = EXCLUDED.confirmed, checked_at = now()",
        (
            [row.id for row in gone],
            symbol,
            day,
            [timestamp(span.start_ms) for span, _ in entries],
            [timestamp(span.end_ms) for span, _ in entries],
            [span.minutes for span, _ in entries],
            [span.reason for span, _ in entries],
            [span.detail for span, _ in entries],
            [state for _, state in entries],
            symbol,
            day,
            verdict.expected,
            verdict.present,
            verdict.pending,
            *(counts[reason] for reason in REASONS),
            sum(span.minutes for span in repaired),
            verdict.is_settled,
            disagree,
            day_agrees,
            verdict.confirmed,
        ),
    )


def committed(database: Database, ends: Mapping[tuple[str, int], int]) -> int:
    """How many records of the log the stream has not committed yet; `ends` is (topic without prefix, partition) → end offset."""
    # A topic that was made anew counts from 0 again, and the rows of the old one stay.
    rows = database.run(
        "SELECT DISTINCT ON (topic, partition) topic, partition, next_offset FROM v1.stream"
        " ORDER BY topic, partition, updated_at DESC"
    )
    stands = {(topic, partition): offset for topic, partition, offset in rows}
    return sum(max(0, end - stands.get(place, 0)) for place, end in ends.items())


def note_trouble(database: Database, kind: str, detail: str, until_ms: int) -> None:
    """The provider would not answer: one row as long as the trouble lasts."""
    database.run(
        "WITH newest AS (UPDATE core.provider_trouble SET ends_at = greatest(ends_at, %s), tries = tries + 1, detail = %s"
        "   WHERE id = (SELECT id FROM core.provider_trouble WHERE kind = %s AND ends_at > now() - interval '5 minutes'"
        "     ORDER BY ends_at DESC LIMIT 1) RETURNING 1)"
        " INSERT INTO core.provider_trouble (kind, detail, ends_at)"
        " SELECT %s, %s, greatest(now(), %s) WHERE NOT EXISTS (SELECT FROM newest)",
        (timestamp(until_ms), detail, kind, kind, detail, timestamp(until_ms)),
    )


def last_minutes(database: Database, symbols: Sequence[str], start_ms: int, end_ms: int) -> dict[str, int | None]:
    """Symbol → the start of its last minute in a session, None where it has none."""
    rows = database.run(
        f"SELECT symbol, {MS.format('max(ts)')} FROM core.bars WHERE symbol = ANY(%s) AND timeframe = '1m'"  # noqa: S608
        " AND session = 'regular' AND ts >= %s AND ts < %s GROUP BY symbol",
        (list(symbols), timestamp(start_ms), timestamp(end_ms)),
    )
    found = dict(rows)
    return {symbol: found.get(symbol) for symbol in symbols}
