"""Whether two databases that were fed the same log say the same: every table, row by row, to the last bit."""

from collections.abc import Mapping
from dataclasses import dataclass, field

import psycopg2

# Table → (key, content). Revision numbers, lineage and times of writing hang on where batches were cut and are left out.
_INDICATORS = """sma_4, sma_5, sma_20, sma_50, sma_200, ema_12, ema_26, rsi_14, macd, macd_signal, macd_histogram,
    bb_upper, bb_middle, bb_lower, atr_14, session_vwap, obv, volatility_20, volume_sma_20, roc_10, change, change_pct"""
QUERIES = {
    "bars": """SELECT (symbol, timeframe, session, ts)::text, (bar_end, session_date, open, high, low, close, volume, ticks)::text
               FROM v1.bars""",
    "final flags": "SELECT (symbol, timeframe, session, ts)::text, (is_closed, is_final)::text FROM v1.bars",
    "indicators": f"SELECT (symbol, timeframe, ts)::text, ({_INDICATORS})::text FROM v1.indicators",  # noqa: S608
    "states": "SELECT (symbol, timeframe, ts)::text, state::text FROM v1.indicator_states",
    "latest": """SELECT symbol, (price, previous_close, day_high, day_low, day_volume, session, session_date, event_time,
                                 tick_change, tick_change_pct)::text FROM v1.latest""",
    "dead letters": """SELECT (stage, topic, kafka_partition, CASE stage WHEN 'stream' THEN kafka_offset::text ELSE content_hash
                              END)::text, (reason, symbol, payload)::text FROM v1.dead_letters""",
    "corporate actions": "SELECT (symbol, ex_date, action)::text, value::text FROM v1.corporate_actions",
    "offsets": "SELECT (topic, partition)::text, (next_offset, complete_through)::text FROM v1.stream",
    "gaps": "SELECT (symbol, reason, detail)::text, count(*)::text FROM v1.gaps GROUP BY symbol, reason, detail",
}
# What was counted once and only once: trades by minute.
TRADES = "SELECT (symbol, session, ts)::text, ticks FROM v1.bars WHERE timeframe = '1m'"
SHOWN = 3

Rows = Mapping[str, str]


@dataclass(slots=True)
class Table:
    """A table's differences: keys that are missing, that should not be there, and whose content is another."""

    name: str
    rows: int
    missing: list[str]
    extra: list[str]
    different: list[str]
    examples: list[str] = field(default_factory=list)

    @property
    def is_equal(self) -> bool:
        return not (self.missing or self.extra or self.different)


@dataclass(slots=True)
class Verdict:
    """`lost` and `doubled` count records: trades by minute and dead letters."""

    tables: list[Table]
    trades: int
    lost: int
    doubled: int

    @property
    def is_equal(self) -> bool:
        return not (self.lost or self.doubled) and all(table.is_equal for table in self.tables)


def compare(disturbed: str, undisturbed: str) -> Verdict:
    """Two database URLs."""
    tables, counts = [], []
    for url in (disturbed, undisturbed):
        connection = psycopg2.connect(url)
        with connection, connection.cursor() as cursor:
            found = {}
            for name, query in (QUERIES | {"trades": TRADES}).items():
                cursor.execute(query)
                found[name] = dict(cursor.fetchall())
        connection.close()
        counts.append(found.pop("trades"))
        tables.append(found)
    return judge(tables[0], tables[1], counts[0], counts[1])


def judge(
    ours: Mapping[str, Rows], theirs: Mapping[str, Rows], our_trades: Mapping[str, int], their_trades: Mapping[str, int]
) -> Verdict:
    """`ours` is the disturbed run's."""
    tables = [difference(name, ours[name], theirs[name]) for name in theirs]
    letters = next((table for table in tables if table.name == "dead letters"), None)
    by_minute = [
        our_trades.get(key, 0) - their_trades.get(key, 0) for key in sorted({*our_trades, *their_trades})
    ]  # fmt: skip
    lost = sum(-by for by in by_minute if by < 0) + (len(letters.missing) if letters else 0)
    doubled = sum(by for by in by_minute if by > 0) + (len(letters.extra) if letters else 0)
    return Verdict(tables, sum(their_trades.values()), lost, doubled)


def difference(name: str, ours: Rows, theirs: Rows) -> Table:
    missing = sorted(theirs.keys() - ours.keys())
    extra = sorted(ours.keys() - theirs.keys())
    different = sorted(key for key in ours.keys() & theirs.keys() if ours[key] != theirs[key])
    examples = [f"{key}: {ours[key]} instead of {theirs[key]}" for key in different[:SHOWN]]
    examples += [f"{key}: missing" for key in missing[:SHOWN]] + [
        f"{key}: should not be there" for key in extra[:SHOWN]
    ]
    return Table(name, len(theirs), missing, extra, different, examples)
