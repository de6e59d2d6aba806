"""What the stored bars must be, worked out from the whole log at once, without batches, states or order of arrival."""

from typing import Any

import numpy as np

from market import indicators
from market.bars import BAR, PROVIDER_COMPLETE, Rows
from market.calendars import session_on
from market.frames import PARENTS, annual_bars, bucket, from_days
from market.latest import BEFORE, TICK
from market.series import SeriesKey
from market.timeframes import TIMEFRAMES
from tests.unit.market.folds import MemoryStore
from tests.unit.market.worlds import INSTRUMENTS, BarEvent, Event, TickEvent, last_two, provider_row, quoted

Content = tuple[float | None, ...]  # open, high, low, close, volume


def wrong_indicators(store: MemoryStore) -> str:
    """The first stored value that the kernel does not give when it runs over the stored bars from the first one; empty for none."""
    for key, table in store.rows.items():
        if key.session != "regular":
            continue
        rows: Rows = np.array([table[ts][0] for ts in sorted(table)], BAR)
        values = np.zeros((len(rows), indicators.N_VALUES))
        states = np.zeros((len(rows), indicators.N_STATE))
        instrument = INSTRUMENTS[key.symbol]
        indicators.advance(
            rows["high"], rows["low"], rows["close"], rows["volume"], rows["session_date"], 0, len(rows), indicators.EMPTY_STATE,
            10.0**instrument.price_precision, annual_bars(instrument.calendar, key.timeframe), states, values,
        )  # fmt: skip
        for k, ts in enumerate(sorted(table)):
            if table[ts][2].tobytes() != values[k].tobytes():
                return f"{key} at {ts}: {table[ts][2]} against {values[k]}"
    return ""


def wrong_frames(store: MemoryStore, events: list[Event]) -> str:
    """The first bar of a higher frame that is not what the rule says of the minutes and of the provider's bars."""
    for symbol in {key.symbol for key in store.rows}:
        minutes = {row["ts"]: row for row in store.bars(SeriesKey(symbol, "1m", "regular"))}
        first = min((row["session_date"] for row in minutes.values()), default=None)
        expected = {"1m": {ts: (content(row), True, row["session_date"]) for ts, row in minutes.items()}}
        for child, parents in PARENTS.items():
            for timeframe in parents:
                expected[timeframe] = roll(
                    symbol, timeframe, expected[child], said_by_provider(symbol, timeframe, events), first
                )
                if timeframe == "1d":
                    widen(expected["1d"], symbol, events)
                found = {row["ts"]: content(row) for row in store.bars(SeriesKey(symbol, timeframe, "regular"))}
                if found != {ts: told[0] for ts, told in expected[timeframe].items()}:
                    return f"{symbol} {timeframe}: {found} against {expected[timeframe]}"
    return ""


def wrong_last_ticks(store: MemoryStore, events: list[Event]) -> str:
    """The first symbol whose last two ticks are not those of all events; empty for none."""
    for symbol, row in store.latest.items():
        found = [tuple(row[0][list(names)].tolist()) for names in (TICK, BEFORE)]
        expected = last_two(event for event in events if isinstance(event, TickEvent) and event.symbol == symbol)
        if found != [*expected, (0, 0, 0.0)][:2]:
            return f"{symbol}: {found} against {expected}"
    return ""


def widen(days: dict[int, "Told"], symbol: str, events: list[Event]) -> None:
    """Daily bars that are rolled up, by what the newest quotes of their sessions say."""
    words = quoted(symbol, [event for event in events if isinstance(event, TickEvent) and event.symbol == symbol])
    complete = {ts for ts, row in said_by_provider(symbol, "1d", events).items() if row["origin"] == PROVIDER_COMPLETE}
    for ts, (told, has_minutes, session) in days.items():
        if session not in words or ts in complete:
            continue
        first, high, low, last, volume = told
        (_, quoted_high), (_, quoted_low) = words[session]
        widened = (first, float(np.fmax(high, quoted_high)), float(np.fmin(low, quoted_low)), last, volume)
        days[ts] = widened, has_minutes, session


def content(row: dict[str, Any]) -> Content:
    numbers = [row[name] for name in ("open", "high", "low", "close", "volume")]
    return tuple(None if number != number else number for number in numbers)


def said_by_provider(symbol: str, timeframe: str, events: list[Event]) -> dict[int, dict[str, Any]]:
    """The provider's bar that wins, by start: a complete one, then the later fetch, then the larger content."""
    best: dict[int, tuple[Any, dict[str, Any]]] = {}
    for event in events:
        if isinstance(event, BarEvent) and (event.symbol, event.timeframe) == (symbol, timeframe):
            row = dict(zip(BAR.names, provider_row(event)[0].tolist(), strict=True))
            rank = (
                event.is_complete,
                event.fetched_ms,
                tuple(-1 if number is None else number for number in content(row)),
            )
            if row["ts"] not in best or rank > best[row["ts"]][0]:
                best[row["ts"]] = (rank, row)
    return {ts: row for ts, (_, row) in best.items()}


Told = tuple[Content, bool, int]  # content, whether a minute is in it, session date


def roll(
    symbol: str, timeframe: str, children: dict[int, Told], provider: dict[int, dict[str, Any]], first: int | None
) -> dict[int, Told]:
    calendar = INSTRUMENTS[symbol].calendar
    groups: dict[int, list[int]] = {}
    sessions: dict[int, int] = {}
    for ts in sorted(children):
        session = session_on(calendar, from_days(children[ts][2]))
        start, _, first_session = bucket(timeframe, ts, session, calendar)
        groups.setdefault(start, []).append(ts)
        sessions[start] = (first_session.session_date - from_days(0)).days
    told: dict[int, Told] = {}
    for start in sorted(groups.keys() | provider.keys()):
        members = [children[ts] for ts in groups.get(start, [])]
        row = provider.get(start)
        has_minutes = any(member[1] for member in members)
        session = sessions.get(start, row["session_date"] if row else 0)
        ours_rule = TIMEFRAMES[timeframe].is_intraday and has_minutes and first is not None and session > first
        is_complete = row is not None and row["origin"] == PROVIDER_COMPLETE
        if members and (ours_rule or not is_complete):
            told[start] = (rolled_up([member[0] for member in members]), has_minutes, session)
        elif row is not None:
            # A standing bar of the provider hides whether minutes are below it: what is rolled up from it is not of minutes.
            told[start] = (content(row), False, session)
    return told


def rolled_up(members: list[Content]) -> Content:
    opens, highs, lows, closes, volumes = zip(*members, strict=True)
    known = [volume for volume in volumes if volume is not None]
    return opens[0], max(highs), min(lows), closes[-1], sum(known) if known else None
