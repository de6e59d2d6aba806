"""A provider's answer → contract records: buckets, completeness, printed prices, validation. Pure; the only way in for bars."""

import base64
import hashlib
import json
import math
from collections.abc import Iterator
from dataclasses import asdict, dataclass, field, replace
from datetime import date
from functools import lru_cache

from ingestion.providers.base import Answer, Row
from ingestion.records.instruments import Instrument
from ingestion.records.splits import SplitFactors
from market.calendars import Session, session_at, session_of, session_on
from market.contracts import END_MS, FIRST_MS, MAX_RECORD_BYTES, Action, Bar, DeadLetter, is_complete_row, round_price
from market.errors import Reason, Rejected
from market.timeframes import MINUTE_MS, TIMEFRAMES, Timeframe, bucket_start_ms

# What fits into a dead letter's record as base64, with room for its other fields.
MAX_PAYLOAD_BYTES = (MAX_RECORD_BYTES - 2_048) // 4 * 3
# A dividend's amount; a provider's adjusted one has float noise after this.
DIVIDEND_DECIMALS = 6


@dataclass(slots=True)
class Records:
    """What an answer became."""

    bars: list[Bar] = field(default_factory=list)
    actions: list[Action] = field(default_factory=list)
    dead_letters: list[DeadLetter] = field(default_factory=list)


def records_of(answer: Answer, instrument: Instrument, timeframe: str, source: str, factors: SplitFactors) -> Records:
    """The records in an answer about one symbol. `factors` has the splits of this answer and of later ones that are known."""
    frame = TIMEFRAMES[timeframe]
    rows = answer.rows if not frame.is_intraday else list(_merged_live_row(answer, instrument.calendar, frame))
    open_session = session_at(instrument.calendar, answer.asked_ms)
    records = Records()

    def refuse(rejected: Rejected, original: dict[str, object], event_ms: int) -> None:
        text = json.dumps(original, default=str).encode()
        records.dead_letters.append(dead_letter(text, rejected, source, event_ms, answer.asked_ms, instrument.symbol))

    for action in _actions(answer, instrument, source, factors):
        try:
            action.check()
            records.actions.append(action)
        except Rejected as rejected:
            named = {
                "symbol": action.symbol,
                "action": action.action,
                "value": action.value,
                "event_ms": action.event_ms,
            }
            refuse(rejected, named, action.event_ms)
    for position, row in enumerate(rows):
        is_last = position == len(rows) - 1
        try:
            records.bars.append(bar_of(row, is_last, open_session, answer, instrument, frame, source, factors))
        except Rejected as rejected:
            refuse(rejected, {"symbol": instrument.symbol, "timeframe": timeframe, **asdict(row)}, row.ts_ms)
    return records


def dead_letter(
    original: bytes, rejected: Rejected, source: str, event_ms: int, fetched_ms: int, symbol: str = ""
) -> DeadLetter:
    """A refused original with its reason; one that is larger than a record is kept to its beginning, and says so."""
    detail = rejected.detail
    if len(original) > MAX_PAYLOAD_BYTES:
        detail = f"{detail} (the first {MAX_PAYLOAD_BYTES} of {len(original)} bytes)"
    return DeadLetter(
        source=source,
        # A time that cannot be would have the letter refused as well.
        event_ms=event_ms if is_possible(event_ms) else fetched_ms,
        fetched_ms=fetched_ms,
        symbol=symbol or rejected.symbol,
        reason=rejected.reason.value,
        detail=detail[:500],
        payload=base64.b64encode(original[:MAX_PAYLOAD_BYTES]).decode(),
        content_hash=hashlib.sha256(original).hexdigest(),
    )


def refused_answer(body: bytes, sentence: str, source: str, fetched_ms: int, symbol: str) -> DeadLetter:
    """A whole answer that could not be read."""
    try:
        json.loads(body)
    except ValueError:
        reason = Reason.NOT_JSON
    else:
        reason = Reason.MISSING_FIELD
    return dead_letter(body, Rejected(reason, sentence, symbol), source, fetched_ms, fetched_ms)


def bar_of(
    row: Row,
    is_last: bool,
    open_session: Session | None,
    answer: Answer,
    instrument: Instrument,
    frame: Timeframe,
    source: str,
    factors: SplitFactors,
) -> Bar:
    finite = math.isfinite
    if not (finite(row.open) and finite(row.high) and finite(row.low) and finite(row.close)):
        missing = [name for name in ("open", "high", "low", "close") if not math.isfinite(getattr(row, name))]
        raise Rejected(Reason.MISSING_FIELD, f"no {', '.join(missing)}", instrument.symbol)
    if not is_possible(row.ts_ms):
        raise Rejected(Reason.BAD_TIME, f"event_ms={row.ts_ms}", instrument.symbol)
    factor = factors.of(row.day)
    if frame.is_intraday:
        session = _session_of(instrument.calendar, row.ts_ms // MINUTE_MS)
        ts_ms = bucket_start_ms(row.ts_ms, frame, session.open_ms)
        is_regular = session.open_ms <= ts_ms < session.close_ms
        end_ms = min(ts_ms + frame.length_ms, session.close_ms) if is_regular else ts_ms + frame.length_ms
        aligned = ts_ms == row.ts_ms
    else:
        session = session_on(instrument.calendar, row.day)
        ts_ms, end_ms, is_regular, aligned = session.open_ms, session.close_ms, True, True
    in_progress = is_last and open_session is not None and session.session_date == open_session.session_date
    precision = instrument.price_precision
    bar = Bar(
        source=source,
        event_ms=ts_ms,
        fetched_ms=answer.asked_ms,
        symbol=instrument.symbol,
        timeframe=frame.name,
        open=round_price(row.open * factor, precision),
        high=round_price(row.high * factor, precision),
        low=round_price(row.low * factor, precision),
        close=round_price(row.close * factor, precision),
        volume=_printed_volume(row.volume, factor) if instrument.has_volume else None,
        session="regular" if is_regular else "ext",
        session_date=_written(session.session_date),
        is_complete=is_complete_row(ts_ms, end_ms, answer.asked_ms, aligned=aligned, last_of_open_session=in_progress),
    )
    bar.check()
    return bar


def is_possible(ts_ms: int) -> bool:
    """Whether the contract takes such a time. No calendar is asked about another: it may lie beyond all years."""
    return FIRST_MS <= ts_ms < END_MS


@lru_cache(maxsize=1 << 16)
def _session_of(calendar: str, minute: int) -> Session:
    """Sessions begin and end on whole minutes; the symbols of a calendar, and its timeframes, have theirs in common."""
    return session_of(calendar, minute * MINUTE_MS)


@lru_cache(maxsize=1024)
def _written(day: date) -> str:
    return day.isoformat()


def _printed_volume(volume: float, factor: float) -> float:
    """Shares as traded on the day; a whole number again where the adjustment made it a fraction."""
    return float(round(volume / factor)) if factor != 1.0 and math.isfinite(volume) else float(volume)


def _merged_live_row(answer: Answer, calendar: str, frame: Timeframe) -> Iterator[Row]:
    """The rows, with one in progress (stamped with the second of the request) folded into the row of its bucket, if any.

    Without such a row, and without a volume, it is the last price and no trade of its bucket: a bar of it would stay where
    nobody traded.
    """
    if not answer.rows:
        return
    *settled, last = answer.rows
    if not is_possible(last.ts_ms):
        yield from answer.rows
        return
    bucket_ms = bucket_start_ms(last.ts_ms, frame, _open_ms(calendar, last.ts_ms))
    before = settled.pop() if settled and settled[-1].ts_ms == bucket_ms != last.ts_ms else None
    yield from settled
    if before is None:
        is_in_progress = last.ts_ms != bucket_ms or answer.asked_ms < bucket_ms + frame.length_ms
        if not (is_in_progress and last.volume == 0 and last.low == last.high):
            yield last
        return
    yield replace(
        before,
        high=max(before.high, last.high),
        low=min(before.low, last.low),
        close=last.close,
        volume=max(before.volume, last.volume),
    )


@lru_cache(maxsize=64)
def _open_ms(calendar: str, ts_ms: int) -> int:
    return session_of(calendar, ts_ms).open_ms


def _actions(answer: Answer, instrument: Instrument, source: str, factors: SplitFactors) -> list[Action]:
    """The splits, and the dividends as they were paid: providers adjust those for splits too."""
    printed = [("split", day, ratio) for day, ratio in answer.splits]
    printed += [("dividend", day, round(value * factors.of(day), DIVIDEND_DECIMALS)) for day, value in answer.dividends]
    return [
        Action(
            source=source,
            event_ms=session_on(instrument.calendar, day).open_ms,
            fetched_ms=answer.asked_ms,
            symbol=instrument.symbol,
            action=action,
            value=float(value),
        )
        for action, day, value in printed
    ]
