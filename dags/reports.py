"""Reports of sessions and the judgement of their quality. SQL is here, sentences are pure."""

from collections.abc import Sequence

from dags.database import connected

# Sessions that have closed and have no report yet, once the ledger has seen each of their symbols since and waits for no minute. It
# looks no more at symbols that are followed no more.
MAKE = """
INSERT INTO core.session_reports (calendar, session_date, report)
SELECT i.calendar, l.session_date,
       jsonb_build_object(
           'symbols', count(*), 'expected', sum(l.expected), 'present', sum(l.present), 'no_trade', sum(l.no_trade),
           'confirmed', sum(l.confirmed),
           'provider_gap', sum(l.provider_gap), 'throttled', sum(l.throttled), 'our_outage', sum(l.our_outage),
           'unconfirmed', sum(l.unconfirmed), 'closed', sum(l.closed), 'repaired', sum(l.repaired),
           'ticks', sum(q.ticks), 'late', sum(q.late), 'corrected', sum(q.corrected),
           'dead_lettered', sum(q.dead_lettered), 'score', round(avg(v.score)::numeric, 2), 'lowest_score', min(v.score),
           'worst_symbol', (array_agg(l.symbol ORDER BY v.score, l.symbol))[1])
FROM core.session_ledger l
JOIN core.instruments i USING (symbol)
JOIN core.sessions s ON s.calendar = i.calendar AND s.session_date = l.session_date
LEFT JOIN core.quality q ON q.symbol = l.symbol AND q.session_date = l.session_date
LEFT JOIN v1.quality_scores v ON v.symbol = l.symbol AND v.session_date = l.session_date
WHERE s.closes_at BETWEEN now() - interval '3 days' AND now() - interval '5 minutes'
  AND ((i.tracked AND i.state = 'ok') OR l.checked_at > s.closes_at)
GROUP BY i.calendar, l.session_date
HAVING bool_and(l.checked_at > s.closes_at) AND sum(l.pending) = 0
ON CONFLICT DO NOTHING
RETURNING calendar || ' ' || session_date, report
"""

SCORES = """
SELECT symbol, session_date::text, worst, score, completeness FROM v1.worst_quality(%s, 1000)
JOIN core.instruments USING (symbol) JOIN core.sessions USING (calendar, session_date) WHERE closes_at < now()
"""

Score = tuple[str, str, str, float, float]
NAMED = 5


def report() -> dict[str, dict[str, object]]:
    """The reports that were made now, by exchange calendar and day."""
    with connected() as cursor:
        cursor.execute(MAKE)
        return dict(cursor.fetchall())


def scores(days: int) -> list[Score]:
    """The closed sessions of so many days, worst first: symbol, day, its worst dimension, score, completeness."""
    with connected() as cursor:
        cursor.execute(SCORES, (days,))
        return list(cursor.fetchall())


def objection(found: Sequence[Score], threshold: float) -> str | None:
    """One sentence about the sessions below the threshold; None when there are none."""
    low = [entry for entry in found if entry[3] < threshold]
    if not low:
        return None
    named = ", ".join(f"{symbol} on {day} {score:g} ({worst})" for symbol, day, worst, score, _ in low[:NAMED])
    more = f" and {len(low) - NAMED} more" if len(low) > NAMED else ""
    return f"{len(low)} of {len(found)} sessions are below {threshold:g}: {named}{more}"
