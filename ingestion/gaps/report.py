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
SEAMS = """
SELECT symbol, timeframe, session_date, compared, disagree, first_disagreeing, most_off FROM v1.seams
WHERE disagree > 0 AND (%s::text[] IS NULL OR symbol = ANY(%s)) ORDER BY most_off DESC, symbol, timeframe LIMIT 60
"""
STATES = {"open": "yellow", "repaired": "green"}


def show(database: Database, console: Console, symbols: list[str] | None, days: int) -> None:
    """Up to four tables: the newest gaps, the worst sessions, who is in quarantine, and the seams that do not hold."""
    missing, judged = gaps(database, symbols, days), scores(database, symbols, days)
    console.print(missing if missing.row_count else "nothing is missing", highlight=False)
    console.print()
    console.print(judged if judged.row_count else "no session was judged yet", highlight=False)
    for table in (quarantine(database, symbols), seams(database, symbols)):
        if table.row_count:
            console.print()
            console.print(table, highlight=False)


def gaps(database: Database, symbols: list[str] | None, days: int) -> Table:
    table = table_of("symbol", "from (UTC)", "to", "minutes", "reason", "detail", "state")
    for symbol, start, end, minutes, reason, detail, state in database.run(GAPS, (days, symbols, symbols)):
        table.add_row(
            symbol or "all",
            f"{start:%Y-%m-%d %H:%M}",
            f"{end:%H:%M}" if end.date() == start.date() else f"{end:%Y-%m-%d %H:%M}",
            "" if minutes is None else str(minutes),
            reason,
            detail,
            state,
            style=STATES.get(state),
        )
    return table


def scores(database: Database, symbols: list[str] | None, days: int) -> Table:
    names = ("symbol", "session", "score", "complete", "timely", "valid", "consistent", "unique", "expected", "present")
    table = table_of(*names, "repaired")
    for symbol, day, *points in database.run(SCORES, (days, symbols, symbols)):
        table.add_row(symbol, str(day), *("" if point is None else f"{point:g}" for point in points))
    return table


def quarantine(database: Database, symbols: list[str] | None) -> Table:
    table = table_of("in quarantine", "by", "session", "since (UTC)", "why")
    for symbol, check, day, since, why in database.run(QUARANTINE, (symbols, symbols)):
        table.add_row(symbol, check, str(day), f"{since:%Y-%m-%d %H:%M}", why, style="yellow")
    return table


def seams(database: Database, symbols: list[str] | None) -> Table:
    """Where the provider's longer bars and our minutes of the same session tell of different prices."""
    table = table_of("seam of", "bars", "session", "compared", "disagree", "first (UTC)", "off by")
    for symbol, timeframe, day, compared, disagree, first, most in database.run(SEAMS, (symbols, symbols)):
        off = f"up to {100 * most:.2g} %"
        table.add_row(symbol, timeframe, str(day), str(compared), str(disagree), f"{first:%H:%M}", off, style="yellow")
    return table


def table_of(*columns: str) -> Table:
    table = Table(*columns, box=None, pad_edge=False)
    table.columns[0].no_wrap = True
    return table
