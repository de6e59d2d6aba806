"""A dead letter's bytes → the record that they stand for, checked again and with its first receive time. Pure."""

import json
from collections.abc import Callable
from dataclasses import asdict, dataclass, fields
from datetime import UTC, date, datetime
from typing import Any
from zoneinfo import ZoneInfo

from ingestion.dead_letters.letters import Letter
from ingestion.errors import NotReplayed
from ingestion.providers.base import Answer, MalformedFrame, Quote, Row
from ingestion.providers.files import PRICES, TIMES, moment, number
from ingestion.records.instruments import Instrument
from ingestion.records.quotes import tick_of
from ingestion.records.rows import bar_of
from ingestion.records.splits import SplitFactors
from market.contracts import Action, Bar, Record, Tick, decode
from market.errors import Reason, Rejected
from market.timeframes import TIMEFRAMES
from market.topics import EVENTS, HISTORY

# What a frame of the live feed says, as a person reads and edits it.
QUOTE = tuple(one.name for one in fields(Quote))


@dataclass(frozen=True, slots=True)
class Known:
    """What a letter is read with: the instruments by symbol, each one's splits, the source, how to read a live frame."""

    instruments: dict[str, Instrument]
    splits: Callable[[str], dict[date, float]]
    source: str
    decode_frame: Callable[[str | bytes], Quote | None]


def record_of(letter: Letter, known: Known) -> tuple[Record, bool]:
    """(the record, whether it goes to the history topic). Raises `Rejected` when it is still wrong, `NotReplayed` when the
    letter holds no single record."""
    if letter.stage == "stream":
        if letter.topic not in (EVENTS.name, HISTORY.name):
            raise NotReplayed(f"a record of {letter.topic} is not replayed")
        record: Record = decode(letter.to_replay)
        if not isinstance(record, Tick | Bar | Action):
            raise NotReplayed(f"a {record.kind} record is not replayed: its time has passed")
        to_history = letter.topic == HISTORY.name
    else:
        record = of_ingestion(letter, known)
        to_history = not isinstance(record, Tick)
    if record.source != known.source:
        raise Rejected(Reason.WRONG_SOURCE, f"source={record.source!r}, this platform's is {known.source!r}")
    instrument_of(record.symbol, known)
    return record, to_history


def of_ingestion(letter: Letter, known: Known) -> Tick | Bar | Action:
    """The record in what ingestion refused: a row of a provider or a file, a corporate action, or a frame of the live feed."""
    try:
        body = json.loads(letter.to_replay)
    except ValueError as error:
        raise Rejected(Reason.NOT_JSON, str(error), letter.symbol) from error
    if not isinstance(body, dict):
        raise Rejected(Reason.NOT_JSON, "a JSON object was expected", letter.symbol)
    if "message" in body:
        return tick_in(letter, known)
    if set(QUOTE) <= body.keys():
        return tick_of_words(body, letter, known)
    if {"timeframe", "ts_ms", "day", *PRICES} <= body.keys():
        return bar_in(body, letter, known)
    if {"action", "value", "event_ms", "symbol"} <= body.keys():
        fields = {name: body[name] for name in ("symbol", "action", "value", "event_ms")}
        return Action.parse({**fields, "source": known.source, "fetched_ms": letter.fetched_ms})
    raise NotReplayed("it is a whole answer of the provider: ask for it again with a backfill of the symbol")


def tick_in(letter: Letter, known: Known) -> Tick:
    try:
        quote = known.decode_frame(letter.to_replay)
    except MalformedFrame as error:
        raise Rejected(Reason.NOT_JSON, f"frame of the live feed: {error}", letter.symbol) from error
    if quote is None:
        raise NotReplayed("the frame holds no quote")
    return tick_of(quote, instrument_of(quote.symbol, known), known.source, letter.fetched_ms)


def in_words(letter: Letter, decode_frame: Callable[[str | bytes], Quote | None]) -> bytes:
    """What is to be replayed as a person reads and edits it: of a frame of the live feed its quote, of anything else itself."""
    if letter.stage == "stream":
        return letter.to_replay
    try:
        quote = decode_frame(letter.to_replay)
    except MalformedFrame:
        return letter.to_replay
    return letter.to_replay if quote is None else json.dumps(asdict(quote)).encode()


def tick_of_words(body: dict[str, Any], letter: Letter, known: Known) -> Tick:
    """The tick of an edited frame; a number that was taken out is none that was given."""
    symbol = str(body["symbol"])
    try:
        quote = Quote(
            symbol=symbol,
            event_ms=int(number("event_ms", body["event_ms"])),
            price=number("price", body["price"]),
            day_volume=int(number("day_volume", body["day_volume"], when_missing=0.0)),
            is_regular=body["is_regular"] is True,
            day_high=number("day_high", body["day_high"], when_missing=0.0),
            day_low=number("day_low", body["day_low"], when_missing=0.0),
            previous_close=number("previous_close", body["previous_close"], when_missing=0.0),
        )
    except ValueError as error:
        raise Rejected(Reason.WRONG_TYPE, str(error), symbol) from error
    return tick_of(quote, instrument_of(symbol, known), known.source, letter.fetched_ms)


def bar_in(body: dict[str, Any], letter: Letter, known: Known) -> Bar:
    """A row. Its prices were adjusted for the splits up to the day it was fetched, and only these are un-done."""
    symbol, timeframe = str(body.get("symbol")), str(body["timeframe"])
    if timeframe not in TIMEFRAMES:
        raise Rejected(Reason.UNKNOWN_TIMEFRAME, f"timeframe={timeframe!r}", symbol)
    instrument = instrument_of(symbol, known)
    try:
        ts_ms, day = time_in(body, letter, instrument, timeframe)
        opened, high, low, close = (number(name, body[name]) for name in PRICES)
        row = Row(ts_ms, day, opened, high, low, close, number("volume", body.get("volume"), when_missing=0.0))
    except (ValueError, TypeError, OverflowError) as error:
        raise Rejected(Reason.WRONG_TYPE, str(error), symbol) from error
    fetched = datetime.fromtimestamp(letter.fetched_ms / 1000, UTC).date()
    splits = [] if body.get("as_printed") else [(d, r) for d, r in known.splits(symbol).items() if d <= fetched]
    answer = Answer(letter.fetched_ms, [row])
    return bar_of(row, False, None, answer, instrument, TIMEFRAMES[timeframe], known.source, SplitFactors(splits))


def time_in(body: dict[str, Any], letter: Letter, instrument: Instrument, timeframe: str) -> tuple[int, date]:
    """A bar's start and day. A file's row has a time as it stood there: what a person makes of it counts. Raises `ValueError`."""
    written = next((name for name in TIMES if body.get(name) is not None), "")
    is_of_file = bool(written) and "file" in body
    if is_of_file and (body["ts_ms"] is None or body[written] != as_it_came(letter).get(written)):
        return moment(body[written], ZoneInfo(instrument.timezone), not TIMEFRAMES[timeframe].is_intraday)
    if body["ts_ms"] is None or body["day"] is None:
        raise ValueError("it has no time: set ts_ms and day")
    return int(body["ts_ms"]), date.fromisoformat(str(body["day"]))


def as_it_came(letter: Letter) -> dict[str, Any]:
    try:
        body = json.loads(letter.payload)
    except ValueError:
        return {}
    return body if isinstance(body, dict) else {}


def instrument_of(symbol: str, known: Known) -> Instrument:
    if symbol not in known.instruments:
        raise Rejected(Reason.UNKNOWN_SYMBOL, f"{symbol!r} is no known instrument: `symbols add {symbol}`", symbol)
    return known.instruments[symbol]
