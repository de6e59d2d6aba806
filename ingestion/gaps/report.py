"""`gaps`: what is missing and why, and the sessions' quality, for a person."""

from rich.console import Console
from rich.table import Table

from ingestion.database import Database

GAPS = """
SELECT symbol, starts_at, ends_at, minutes, reason, detail, state FROM v1.gaps
WHERE ends_at > now() - make_interval(days => %s) AND (%s::text[] IS NULL OR symbol = ANY(%s) OR symbol = '')
ORDER BY starts_at DESC, symbol LIMIT 60
"""
SCORES = """
SELECT s.symbol, s.session_date, s.score, s.completeness, s.timeliness, s.validity, s.consistency, s.uniqueness,
       l.expected, l.present, l.repaired
FROM v1.quality_scores s JOIN v1.session_ledger l USING (symbol, session_date)
WHERE s.session_date > current_date - %s AND (%s::text[] IS NULL OR symbol = ANY(%s))
ORDER BY s.score, s.session_date DESC, s.symbol LIMIT 30
"""
QUARANTINE = """
SELECT symbol, check_name, session_date, entered_at, detail FROM v1.quarantine
WHERE is_in AND (%s::text[] IS NULL OR symbol = ANY(%s)) ORDER BY entered_at DESC, symbol LIMIT 60
"""
STATES = {"open": "yellow", "repaired": "green"}


def show(database: Database, console: Console, symbols: list[str] | None, days: int) -> None:
    """Up to three tables: the newest gaps, the worst sessions, and who is in quarantine."""
    gaps = Table("symbol", "from (UTC)", "to", "minutes", "reason", "detail", "state", box=None, pad_edge=False)
    gaps.columns[0].no_wrap = True
    for symbol, start, end, minutes, reason, detail, state in database.run(GAPS, (days, symbols, symbols)):
        gaps.add_row(
            symbol or "all",
            f"{start:%Y-%m-%d %H:%M}",
            f"{end:%H:%M}" if end.date() == start.date() else f"{end:%Y-%m-%d %H:%M}",
            "" if minutes is None else str(minutes),
            reason,
            detail,
            state,
            style=STATES.get(state),
        )
    names = ("symbol", "session", "score", "complete", "timely", "valid", "consistent", "unique", "expected", "present")
    scores = Table(*names, "repaired", box=None, pad_edge=False)
    scores.columns[0].no_wrap = True
    for symbol, day, *points in database.run(SCORES, (days, symbols, symbols)):
        scores.add_row(symbol, str(day), *("" if point is None else f"{point:g}" for point in points))
    console.print(gaps if gaps.row_count else "nothing is missing", highlight=False)
    console.print()
    console.print(scores if scores.row_count else "no session was judged yet", highlight=False)
    held = Table("in quarantine", "by", "session", "since (UTC)", "why", box=None, pad_edge=False)
    held.columns[0].no_wrap = True
    for symbol, check, day, since, why in database.run(QUARANTINE, (symbols, symbols)):
        held.add_row(symbol, check, str(day), f"{since:%Y-%m-%d %H:%M}", why, style="yellow")
    if held.row_count:
        console.print()
        console.print(held, highlight=False)
