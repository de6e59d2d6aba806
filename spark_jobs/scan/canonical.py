"""Ticks to the letter as `Tick.encode` writes them, read byte by byte by compiled code.

Nearly every record of a market is one. A record that differs in anything (a field more, another order, an exponent, an escape, a
value that the contract refuses) is left to `decode.py` beside it and to the contract itself: what is read here is what the contract
would have read, to the last bit of a price (tests/unit/spark_jobs/scan/test_canonical.py).
"""

import json

import numpy as np
import pyarrow as pa
from numba import njit
from numpy.typing import NDArray

from market.bars import NONE
from market.contracts import END_MS, FIRST_MS, MAX_PRICE, SCHEMA_VERSION, Tick
from spark_jobs.scan.bounds import Bounds
from spark_jobs.scan.known import NOT_KNOWN, Known, code_of

Columns = dict[str, NDArray[np.generic]]

# A number of so many digits is an integer below 2^53, and its quotient by a power of ten is the nearest float (Clinger, How to
# Read Floating Point Numbers Accurately, 1990: both operands are exact, so the one rounding of the division is the right one).
MOST_DIGITS = 15
MAX_AHEAD_MS, MAX_BEHIND_MS = Tick.MAX_AHEAD_MS, Tick.MAX_BEHIND_MS
POWERS = 10.0 ** np.arange(MOST_DIGITS + 1)
ZERO, NINE, DOT, QUOTE, CLOSE = (ord(sign) for sign in '09."}')
FAILED = -1


def _bytes(text: str) -> NDArray[np.uint8]:
    return np.frombuffer(text.encode(), np.uint8)


FETCHED, SYMBOL, PRICE = _bytes(',"fetched_ms":'), _bytes(',"symbol":"'), _bytes('","price":')
VOLUME, REGULAR, EXT = _bytes(',"day_volume":'), _bytes(',"session":"regular"'), _bytes(',"session":"ext"')
HIGH, LOW, PREVIOUS = _bytes(',"day_high":'), _bytes(',"day_low":'), _bytes(',"previous_close":')


def read_ticks(values: pa.Array, source: str, known: Known, bounds: Bounds) -> tuple[NDArray[np.bool_], Columns]:
    """Which values are such ticks, of known symbols and within the bounds, and these as columns of equal length.

    `code` is the symbol's number in `known`; NONE and NaN stand for what was not given.
    """
    count = len(values)
    _, ends, data = values.buffers()
    is_read = np.zeros(count, np.bool_)
    whole = np.empty((5, count), np.int64)
    prices = np.empty((4, count), np.float64)
    if count and data is not None:
        at = np.frombuffer(ends, np.int32)[values.offset : values.offset + count + 1].astype(np.int64)
        head = _bytes(f'{{"v":{SCHEMA_VERSION},"kind":"{Tick.kind}","source":{json.dumps(source)},"event_ms":')
        text = np.frombuffer(data, np.uint8)
        limits = bounds.from_ms, bounds.until_ms, bounds.max_jump
        _read(text, at, head, known.text, known.ends, known.slots, limits, is_read, whole, prices)
    if not is_read.all():
        whole, prices = whole[:, is_read], prices[:, is_read]
    columns: Columns = dict(zip(("code", "is_ext", "event_ms", "fetched_ms", "day_volume"), whole, strict=True))
    return is_read, columns | dict(zip(("price", "day_high", "day_low", "previous_close"), prices, strict=True))


@njit(cache=True)
def _read(data, ends, head, text, name_ends, slots, limits, is_read, whole, prices):  # type: ignore[no-untyped-def]
    from_ms, until_ms, max_jump = limits
    for k in range(len(ends) - 1):
        stop = ends[k + 1]
        at = _match(data, ends[k], stop, head)
        event_ms, at = _integer(data, at, stop)
        at = _match(data, at, stop, FETCHED)
        fetched_ms, at = _integer(data, at, stop)
        begin = at = _match(data, at, stop, SYMBOL)
        while FAILED < at < stop and data[at] != QUOTE:
            at += 1
        if at == FAILED:
            continue
        code = code_of(data, begin, at, text, name_ends, slots)
        at = _match(data, at, stop, PRICE)
        price, at = _number(data, at, stop)
        day_volume = NONE
        if _begins(data, at, stop, VOLUME):
            day_volume, at = _integer(data, at + len(VOLUME), stop)
        is_ext = _begins(data, at, stop, EXT)
        at = _match(data, at, stop, EXT if is_ext else REGULAR)
        high = low = previous = np.nan
        if _begins(data, at, stop, HIGH):
            high, at = _number(data, at + len(HIGH), stop)
        if _begins(data, at, stop, LOW):
            low, at = _number(data, at + len(LOW), stop)
        if _begins(data, at, stop, PREVIOUS):
            previous, at = _number(data, at + len(PREVIOUS), stop)
        if at != stop - 1 or data[at] != CLOSE or code == NOT_KNOWN:
            continue
        if not (from_ms <= event_ms < until_ms and FIRST_MS <= fetched_ms < END_MS):
            continue
        if not fetched_ms - MAX_BEHIND_MS <= event_ms <= fetched_ms + MAX_AHEAD_MS or not 0.0 < price < MAX_PRICE:
            continue
        if not (
            _may_be(high, price, max_jump) and _may_be(low, price, max_jump) and _may_be(previous, price, max_jump)
        ):
            continue
        is_read[k] = True
        whole[0, k], whole[1, k], whole[2, k], whole[3, k], whole[4, k] = code, is_ext, event_ms, fetched_ms, day_volume
        prices[0, k], prices[1, k], prices[2, k], prices[3, k] = price, high, low, previous


@njit(cache=True)
def _may_be(given, price, max_jump):  # type: ignore[no-untyped-def]
    return np.isnan(given) or (0.0 < given < MAX_PRICE and price <= given * max_jump and given <= price * max_jump)


@njit(cache=True)
def _begins(data, at, stop, with_):  # type: ignore[no-untyped-def]
    if at == FAILED or at + len(with_) > stop:
        return False
    for k in range(len(with_)):  # noqa: SIM110  (compiled: a generator is not)
        if data[at + k] != with_[k]:
            return False
    return True


@njit(cache=True)
def _match(data, at, stop, with_):  # type: ignore[no-untyped-def]
    """Behind `with_`, where it stands there."""
    return at + len(with_) if _begins(data, at, stop, with_) else FAILED


@njit(cache=True)
def _integer(data, at, stop):  # type: ignore[no-untyped-def]
    """(value, behind it) of a JSON number without sign, fraction and exponent."""
    if at == FAILED:
        return 0, FAILED
    value, begin = 0, at
    while at < stop and ZERO <= data[at] <= NINE:
        value = value * 10 + (data[at] - ZERO)
        at += 1
        if at - begin > MOST_DIGITS:
            return 0, FAILED
    if at == begin or (data[begin] == ZERO and at > begin + 1):
        return 0, FAILED
    return value, at


@njit(cache=True)
def _number(data, at, stop):  # type: ignore[no-untyped-def]
    """(value, behind it) of a JSON number without sign and exponent."""
    value, at_dot = _integer(data, at, stop)
    if not (FAILED < at_dot < stop and data[at_dot] == DOT):
        return float(value), at_dot
    begin = behind = at_dot + 1
    while behind < stop and ZERO <= data[behind] <= NINE:
        value = value * 10 + (data[behind] - ZERO)
        behind += 1
        if behind - at > MOST_DIGITS + 1:
            return 0.0, FAILED
    if behind == begin:
        return 0.0, FAILED
    return value / POWERS[behind - begin], behind
