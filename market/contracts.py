"""The wire records: one class each, with its parse and its encode side by side.

A record is one JSON object, UTF-8, without newlines inside. Every record carries `v` (schema version), `kind`,
`source`, `event_ms` (when it happened) and `fetched_ms` (when we received it), both in milliseconds since the epoch, UTC.
Prices are in the instrument's currency, as printed (never adjusted); volumes are in shares, contracts or coins.
"""

import json
import math
import re
from dataclasses import MISSING, dataclass, fields
from datetime import date
from functools import lru_cache
from operator import attrgetter
from types import UnionType
from typing import Any, ClassVar, Self, get_args, get_origin, get_type_hints

import orjson

from market.errors import Reason, Rejected
from market.timeframes import DAY_MS, MINUTE_MS, TIMEFRAMES

SCHEMA_VERSION = 1
MAX_RECORD_BYTES = 16_384
SESSIONS = ("regular", "ext")
ACTIONS = ("split", "dividend")

# Times are milliseconds since the epoch from 1900 to 2100: microseconds or nanoseconds by mistake lie outside, seconds in 1970.
EPOCH = date(1970, 1, 1)
FIRST_MS, END_MS = -2_208_988_800_000, 4_102_444_800_000

# Whole numbers below this are exact as floats, and so is a sum of volumes.
MAX_EXACT = 2**53
MAX_PRICE = 1e9

# A provider's row is believed to be complete only when it ended this long before it was fetched.
PROVIDER_SETTLE_MS = 30_000


@dataclass(frozen=True, slots=True, kw_only=True)
class Record:
    """What every record has. Subclasses add their fields and check their values.

    `event_ms` may be later than `fetched_ms` by `MAX_AHEAD_MS`, as a provider's clock may run ahead of ours, and earlier by
    `MAX_BEHIND_MS`.
    """

    kind: ClassVar[str] = ""
    MAX_AHEAD_MS: ClassVar[int] = END_MS - FIRST_MS
    MAX_BEHIND_MS: ClassVar[int] = END_MS - FIRST_MS

    source: str
    event_ms: int
    fetched_ms: int

    def encode(self) -> bytes:
        """The record as it goes to Kafka; fields that are None are left out. Raises `ValueError` for a number that is none."""
        body: dict[str, Any] = {"v": SCHEMA_VERSION, "kind": self.kind}
        names, values_of = FIELD_GETTERS[type(self)]
        body |= {name: value for name, value in zip(names, values_of(self), strict=True) if value is not None}
        try:
            payload = orjson.dumps(body)
        except TypeError:
            # Half of a surrogate pair, in what a stranger said: only as an escape it is UTF-8.
            return _write_carefully(body).encode()
        # For orjson a number that is none is null.
        return _write_carefully(body).encode() if b":null" in payload else payload

    @classmethod
    def parse(cls, body: dict[str, Any]) -> Self:
        """The record in a decoded JSON object. Unknown fields are ignored, so that fields can be added.

        Raises `Rejected`: a field is missing, has the wrong type, or a value that `check` refuses.
        """
        symbol = symbol_in(body)
        values: dict[str, Any] = {}
        for name, (kind, required) in FIELD_TYPES[cls].items():
            value = body.get(name)
            if value is None:
                if required:
                    raise Rejected(Reason.MISSING_FIELD, name, symbol)
                continue
            if kind is float and type(value) is int:
                value = float(value) if abs(value) < MAX_EXACT else math.inf  # no price, no volume: `check` says so
            if type(value) is not kind:
                raise Rejected(Reason.WRONG_TYPE, f"{name}={value!r} is not {kind.__name__}", symbol)
            values[name] = value
        record = cls(**values)
        record.check()
        return record

    def check(self) -> None:
        """Raises `Rejected` when a value cannot be."""
        symbol = getattr(self, "symbol", "")
        for name in TIME_FIELDS[type(self)]:
            if not FIRST_MS <= getattr(self, name) < END_MS:
                raise Rejected(Reason.BAD_TIME, f"{name}={getattr(self, name)}", symbol)
        if self.event_ms > self.fetched_ms + self.MAX_AHEAD_MS:
            raise Rejected(Reason.FUTURE, f"event_ms={self.event_ms} fetched_ms={self.fetched_ms}", symbol)
        if self.event_ms < self.fetched_ms - self.MAX_BEHIND_MS:
            raise Rejected(Reason.TOO_OLD, f"event_ms={self.event_ms} fetched_ms={self.fetched_ms}", symbol)
        self.check_values()

    def check_values(self) -> None:
        """What a subclass asks of its own fields."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Tick(Record):
    """A trade or quote update. `day_volume` is cumulative since the session's open; None where there is none."""

    kind: ClassVar[str] = "tick"
    MAX_AHEAD_MS: ClassVar[int] = 60_000
    # A feed begins with the last trade of each symbol, which may be weeks old. What is older is zero, or seconds for milliseconds.
    MAX_BEHIND_MS: ClassVar[int] = 100 * DAY_MS

    symbol: str
    price: float
    day_volume: int | None = None
    session: str = "regular"
    day_high: float | None = None
    day_low: float | None = None
    previous_close: float | None = None

    def check_values(self) -> None:
        for name in ("price", "day_high", "day_low", "previous_close"):
            check_price(name, getattr(self, name), self.symbol)
        check_volume("day_volume", self.day_volume, self.symbol)
        check_choice("session", self.session, SESSIONS, self.symbol)


@dataclass(frozen=True, slots=True, kw_only=True)
class Bar(Record):
    """A provider's bar. `event_ms` is its start; `is_complete` as `is_complete_row` says, `session_date` as 2026-11-18."""

    kind: ClassVar[str] = "bar"
    MAX_AHEAD_MS: ClassVar[int] = DAY_MS  # a row of the next session, before its open
    MAX_SESSION_DAYS: ClassVar[int] = 31  # between a bar's start and its session's date: a month, or holidays before it

    symbol: str
    timeframe: str
    open: float
    high: float
    low: float
    close: float
    volume: float | None = None
    session: str = "regular"
    session_date: str
    is_complete: bool

    def check_values(self) -> None:
        if self.timeframe not in TIMEFRAMES:
            raise Rejected(Reason.UNKNOWN_TIMEFRAME, f"timeframe={self.timeframe!r}", self.symbol)
        if self.event_ms % MINUTE_MS:
            raise Rejected(Reason.MISALIGNED, f"event_ms={self.event_ms} is not on a whole minute", self.symbol)
        self.check_session_date()
        in_range = self.low <= self.open <= self.high and self.low <= self.close <= self.high
        # The lowest is a price and so is the highest: so are those between them.
        if not (in_range and self.low > 0.0 and self.high < MAX_PRICE):
            self.refuse_prices()
        check_volume("volume", self.volume, self.symbol)
        check_choice("session", self.session, SESSIONS, self.symbol)
        if self.session == "ext" and not TIMEFRAMES[self.timeframe].is_intraday:
            raise Rejected(Reason.WRONG_TYPE, f"session='ext' of a bar of {self.timeframe}", self.symbol)

    def refuse_prices(self) -> None:
        """Raises `Rejected`: says which price is none, or that they lie wrong."""
        for name in ("open", "high", "low", "close"):
            check_price(name, getattr(self, name), self.symbol)
        detail = f"open={self.open} high={self.high} low={self.low} close={self.close}"
        raise Rejected(Reason.BAD_RANGE, detail, self.symbol)

    def check_session_date(self) -> None:
        try:
            day = _days_since_epoch(self.session_date)
        except ValueError as error:
            raise Rejected(Reason.WRONG_TYPE, f"session_date={self.session_date!r}{error}", self.symbol) from error
        if abs(day - self.event_ms // DAY_MS) > self.MAX_SESSION_DAYS:
            detail = f"session_date={self.session_date} is far from event_ms={self.event_ms}"
            raise Rejected(Reason.BAD_TIME, detail, self.symbol)


@dataclass(frozen=True, slots=True, kw_only=True)
class Clock(Record):
    """ "`source` is complete through `event_ms`", written to every partition; the feed has no hole since `since_ms`."""

    kind: ClassVar[str] = "clock"
    MAX_AHEAD_MS: ClassVar[int] = 0  # nobody can be complete through a time that has not come

    since_ms: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Action(Record):
    """A split (`value` = new shares for an old one) or a dividend (`value` in currency a share) on `event_ms`' session.

    With `is_withdrawn` it is no more: the provider published this value and does so no longer. Left out where it is not.
    """

    kind: ClassVar[str] = "action"

    symbol: str
    action: str
    value: float
    is_withdrawn: bool | None = None

    def check_values(self) -> None:
        check_choice("action", self.action, ACTIONS, self.symbol)
        check_price("value", self.value, self.symbol)


@dataclass(frozen=True, slots=True, kw_only=True)
class DeadLetter(Record):
    """What ingestion refused, on its own topic: `reason` is a `Reason`, `payload` the original (base64 of its bytes).

    `content_hash` is the SHA-256 of the original in hex: the same bad answer is one dead letter, however often it came.
    """

    kind: ClassVar[str] = "dead_letter"

    symbol: str
    reason: str
    detail: str
    payload: str
    content_hash: str


KINDS: dict[str, type[Record]] = {cls.kind: cls for cls in (Tick, Bar, Clock, Action, DeadLetter)}


def _field_types(cls: type[Record]) -> dict[str, tuple[type, bool]]:
    """Field name → (JSON type, required) of a record class."""
    hints = get_type_hints(cls)
    types: dict[str, tuple[type, bool]] = {}
    for field in fields(cls):
        hint = hints[field.name]
        if get_origin(hint) is UnionType:
            hint = next(arg for arg in get_args(hint) if arg is not type(None))
        types[field.name] = (hint, field.default is MISSING)
    return types


FIELD_TYPES: dict[type[Record], dict[str, tuple[type, bool]]] = {cls: _field_types(cls) for cls in KINDS.values()}
TIME_FIELDS = {cls: tuple(name for name in types if name.endswith("_ms")) for cls, types in FIELD_TYPES.items()}
FIELD_GETTERS = {cls: (tuple(types), attrgetter(*types)) for cls, types in FIELD_TYPES.items()}

# A fifth of orjson's speed; escapes all that is not ASCII, and refuses numbers that are none.
_write_carefully = json.JSONEncoder(separators=(",", ":"), allow_nan=False).encode


def decode(payload: bytes) -> Record:
    """The record in a Kafka value. Raises `Rejected` with the reason; never anything else."""
    if len(payload) > MAX_RECORD_BYTES:
        raise Rejected(Reason.OVERSIZED, f"{len(payload)} bytes, at most {MAX_RECORD_BYTES}")
    try:
        text = payload.decode()
    except UnicodeDecodeError as error:
        raise Rejected(Reason.NOT_UTF8, str(error)) from error
    try:
        body = json.loads(text)
    except (ValueError, RecursionError) as error:
        raise Rejected(Reason.NOT_JSON, str(error)) from error
    if not isinstance(body, dict):
        raise Rejected(Reason.NOT_JSON, f"a JSON object was expected, not {type(body).__name__}")
    version = body.get("v")
    if type(version) is not int or version != SCHEMA_VERSION:
        raise Rejected(Reason.WRONG_VERSION, f"v={version!r}, expected {SCHEMA_VERSION}", symbol_in(body))
    kind = body.get("kind")
    cls = KINDS.get(kind) if isinstance(kind, str) else None
    if cls is None:
        raise Rejected(Reason.UNKNOWN_KIND, f"kind={kind!r}", symbol_in(body))
    return cls.parse(body)


_RECEIPT, _EVENT = (
    re.compile(rb'"%s"\s*:\s*(-?[0-9]{1,15})(?![0-9.eE])' % name) for name in (b"fetched_ms", b"event_ms")
)


def receipt_in(payload: bytes) -> int | None:
    """When a record was received, milliseconds since the epoch, as far as it can be read in bytes that may be no record at all."""
    return _time_in(payload, _RECEIPT)


def event_in(payload: bytes) -> int | None:
    """What time a record is about, as far as it can be read, as in `receipt_in`."""
    return _time_in(payload, _EVENT)


def _time_in(payload: bytes, field: re.Pattern[bytes]) -> int | None:
    found = [int(digits) for digits in field.findall(payload)]
    return found[-1] if found and FIRST_MS <= found[-1] < END_MS else None


def symbol_in(body: dict[str, Any]) -> str:
    """Whose record it would be; empty where that cannot be read."""
    symbol = body.get("symbol")
    return symbol if isinstance(symbol, str) else ""


def is_complete_row(ts_ms: int, end_ms: int, fetched_ms: int, *, aligned: bool, last_of_open_session: bool) -> bool:
    """Whether a provider's row is its final word: aligned, ended a settling time ago, not the row still in progress."""
    return aligned and not last_of_open_session and ts_ms < end_ms <= fetched_ms - PROVIDER_SETTLE_MS


def round_price(price: float, precision: int) -> float:
    """The price at the instrument's precision (decimal places); float32 noise of the provider's wire goes here."""
    return round(price, precision)


@lru_cache(maxsize=1024)
def _days_since_epoch(written: str) -> int:
    """Of a date as 2026-11-18; a session has hundreds of bars. Raises `ValueError`, whose text goes behind what was written."""
    try:
        day = date.fromisoformat(written)
    except ValueError as error:
        raise ValueError(f": {error}") from error
    if day.isoformat() != written:
        raise ValueError(f" is not {day.isoformat()}")
    return (day - EPOCH).days


# NaN and the infinities fail these comparisons too.
def check_price(name: str, value: float | None, symbol: str) -> None:
    if value is not None and not 0.0 < value < MAX_PRICE:
        raise Rejected(Reason.BAD_PRICE, f"{name}={value!r}", symbol)


def check_volume(name: str, value: float | None, symbol: str) -> None:
    if value is not None and not 0 <= value < MAX_EXACT:
        raise Rejected(Reason.BAD_VOLUME, f"{name}={value!r}", symbol)


def check_choice(name: str, value: str, choices: tuple[str, ...], symbol: str) -> None:
    if value not in choices:
        raise Rejected(Reason.WRONG_TYPE, f"{name}={value!r} is not one of {', '.join(choices)}", symbol)
