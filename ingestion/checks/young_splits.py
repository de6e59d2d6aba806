"""Rows from before a split that is young: checked before they are believed.

Providers adjust all history at a split, and sometimes a day late, or twice. Un-doing an adjustment that was not made gives prices
that are off by the split's ratio. Such rows are held back, the symbol goes into quarantine, and they are asked for again.
"""

import math
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta

import structlog

from ingestion import tables
from ingestion.checks import tables as check_tables
from ingestion.checks.agreement import SPLIT, Finding
from ingestion.database import Database
from ingestion.gaps.coverage import Covered
from ingestion.records.rows import Records
from market.contracts import Bar

log = structlog.get_logger()

# Providers have been seen to take days; looking costs one small query, and only where an answer has so young a split.
YOUNG = timedelta(days=30)
# Closes that are compared may be so much older than the split: a long closure.
LOOK_BACK = timedelta(days=14)
# The jump at a split is judged by its size; with smaller ratios a market can do as much in a night.
LEAST_TELLING_RATIO = 1.5

Splits = Iterable[tuple[date, float]]


@dataclass(frozen=True, slots=True)
class Judgement:
    """What the rows around a split say: whether they are right, or None where there is nothing to tell it by."""

    ex_date: date
    is_right: bool | None
    detail: str = ""


def disagreements(bars: Iterable[Bar], closes: Mapping[date, float], splits: Splits) -> list[tuple[date, float]]:
    """The splits before which the provider's un-adjusted closes are not those that were printed: adjusted late, or twice."""
    rows = list(bars)
    return [(day, ratio) for day, ratio in splits if judge(rows, closes, day, ratio).is_right is False]


def judge(bars: list[Bar], closes: Mapping[date, float], ex_date: date, ratio: float) -> Judgement:
    """The rows before a split against what was printed then (`closes`, by session), and against the jump at the split.

    A row is wrong when it is nearer to a price that is off by the ratio than to the right one.

        printed    500  505 | 126  127        (4:1)
        late      2000 2020 | 126  127        un-done, though nothing had been adjusted yet
        twice      125  126 | 126  127
    """
    given = {date.fromisoformat(bar.session_date): bar for bar in bars}
    before = [day for day in given if day < ex_date]
    evidence = [
        one for one in (by_print(given, before, closes, ratio), by_jump(bars, given, before, ex_date, ratio)) if one
    ]
    if not evidence:
        return Judgement(ex_date, None)
    # One witness for the rows is enough: what is stored may itself be what a provider got wrong, and a market may halve in a night.
    return Judgement(ex_date, any(is_right for is_right, _ in evidence), "; ".join(said for _, said in evidence))


def by_print(
    given: Mapping[date, Bar], before: list[date], closes: Mapping[date, float], ratio: float
) -> tuple[bool, str] | None:
    """Against the newest close before the split that is stored."""
    known = [day for day in before if closes.get(day)]
    if not known:
        return None
    day = max(known)
    is_near = abs(math.log(given[day].close / closes[day])) < abs(math.log(ratio)) / 2
    return is_near, f"{given[day].close:g} for the {closes[day]:g} that was printed on {day}"


def by_jump(
    bars: Iterable[Bar], given: Mapping[date, Bar], before: list[date], ex_date: date, ratio: float
) -> tuple[bool, str] | None:
    """Against the first price from the split on."""
    first = min((bar for bar in bars if date.fromisoformat(bar.session_date) >= ex_date), key=_start, default=None)
    if not before or first is None or abs(math.log(ratio)) < math.log(LEAST_TELLING_RATIO):
        return None
    last = given[max(before)]
    is_near = abs(math.log(last.close / first.open) - math.log(ratio)) < abs(math.log(ratio)) / 2
    return is_near, f"{last.close:g} on {last.session_date}, then {first.open:g}, at a split of {ratio:g} to 1"


def keep_believed(
    database: Database, records: Records, splits: Splits, symbol: str, asked_ms: int
) -> tuple[frozenset[date], str]:
    """Takes the rows out of `records` that are not believed. Gives their sessions, and a sentence where there are any.

    The symbol goes into quarantine by it, and leaves it when the rows of another answer are right.
    """
    asked = datetime.fromtimestamp(asked_ms / 1000, UTC).date()
    young = [(day, ratio) for day, ratio in splits if ratio > 0 and ratio != 1 and abs(asked - day) <= YOUNG]
    if not young or not records.bars:
        return frozenset(), ""
    closes = tables.stored_closes(database, symbol, min(day for day, _ in young) - LOOK_BACK)
    judged = [judge(records.bars, closes, day, ratio) for day, ratio in young]
    wrong = [one for one in judged if one.is_right is False]
    if not wrong:
        if any(one.is_right for one in judged) and check_tables.leave(
            database, symbol, SPLIT, "the prices before the split are as they were printed"
        ):
            log.info("quarantine left", symbol=symbol, check=SPLIT)
        return frozenset(), ""
    newest = max(wrong, key=lambda one: one.ex_date)
    doubted = [bar for bar in records.bars if date.fromisoformat(bar.session_date) < newest.ex_date]
    records.bars = [bar for bar in records.bars if date.fromisoformat(bar.session_date) >= newest.ex_date]
    sentence = f"prices before the split of {newest.ex_date} are not believed yet: {newest.detail}"
    days = frozenset(date.fromisoformat(bar.session_date) for bar in doubted)
    check_tables.enter(database, symbol, Finding(SPLIT, newest.ex_date, len(days), len(days), False, sentence))
    tables.note_quality(database, symbol, newest.ex_date, sentence)
    log.warning("rows not believed", symbol=symbol, rows=len(doubted), detail=sentence)
    return days, sentence


def spoken_for(pieces: Iterable[Covered], doubted: frozenset[date]) -> list[Covered]:
    """Coverage without the sessions whose rows were held back."""
    return [piece for piece in pieces if piece.session_date not in doubted]


def _start(bar: Bar) -> int:
    return bar.event_ms
