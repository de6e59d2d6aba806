"""A provider's bars by Arrow: history comes by the hundred thousand."""

from collections.abc import Container
from datetime import date

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from numpy.typing import NDArray

from market.contracts import MAX_EXACT, MAX_PRICE, SESSIONS, Bar
from market.frames import to_days
from market.timeframes import DAY_MS, INTRADAY, MINUTE_MS, TIMEFRAMES
from spark_jobs.scan.bounds import JUDGED, Bounds
from spark_jobs.scan.decode import equals, floats, integers, keeps_common, shape_of

BAR = shape_of(Bar)
INTRADAY_NAMES = tuple(frame.name for frame in INTRADAY)


def valid_bars(
    table: pa.Table, source: str, known: Container[str], bounds: Bounds
) -> tuple[NDArray[np.bool_], dict[str, object]]:
    """Which rows keep the contract and the bounds, and those rows as columns of PARTIALS."""
    good, _, _ = keeps_common(table, source, known, bounds, Bar)
    event_ms, _ = integers(table["event_ms"])
    good &= event_ms % MINUTE_MS == 0
    prices = {name: floats(table[name]) for name in ("open", "high", "low", "close")}
    for values in prices.values():
        good &= np.isfinite(values) & (values > 0) & (values < MAX_PRICE)
    good &= prices["low"] <= np.minimum(prices["open"], prices["close"])
    good &= prices["high"] >= np.maximum(prices["open"], prices["close"])
    is_judged = is_in(table["timeframe"], JUDGED)
    good &= ~is_judged | (prices["high"] <= prices["low"] * bounds.max_jump)
    volume = floats(table["volume"])
    given = pc.is_valid(table["volume"]).to_numpy().astype(bool)
    good &= ~given | ((volume >= 0) & (volume < MAX_EXACT))
    session = table["session"].fill_null("regular")
    good &= is_in(session, SESSIONS) & is_in(table["timeframe"], tuple(TIMEFRAMES))
    good &= equals(session, "regular") | is_in(table["timeframe"], INTRADAY_NAMES)
    good &= pc.is_valid(table["is_complete"]).to_numpy().astype(bool)
    days = session_days(table["session_date"])
    good &= (days != NO_DAY) & (np.abs(days - event_ms // DAY_MS) <= Bar.MAX_SESSION_DAYS)
    chosen = pa.array(good)
    columns: dict[str, object] = {
        "row": "bar",
        "ts": event_ms[good],
        "session": session.filter(chosen).combine_chunks(),
    }
    columns |= {name: values[good] for name, values in prices.items()}
    for name in ("symbol", "timeframe", "session_date", "volume", "is_complete"):
        columns[name] = table[name].filter(chosen).combine_chunks()
    columns["received_ms"] = integers(table["fetched_ms"])[0][good]
    return good, columns


NO_DAY = np.iinfo(np.int64).min


def session_days(column: pa.ChunkedArray) -> NDArray[np.int64]:
    """Days since the epoch of ISO dates, NO_DAY for what is none: each date is read once, however many bars it has."""
    encoded = column.combine_chunks().dictionary_encode()
    if isinstance(encoded, pa.ChunkedArray):
        encoded = encoded.combine_chunks()
    days = np.array([day_of(text) for text in encoded.dictionary.to_pylist()] + [NO_DAY], np.int64)
    found: NDArray[np.int64] = days[encoded.indices.fill_null(len(days) - 1).to_numpy(zero_copy_only=False)]
    return found


def day_of(text: str) -> int:
    try:
        day = date.fromisoformat(text)
    except ValueError:
        return NO_DAY
    return to_days(day) if day.isoformat() == text else NO_DAY


def is_in(column: pa.ChunkedArray, choices: tuple[str, ...]) -> NDArray[np.bool_]:
    found: NDArray[np.bool_] = pc.is_in(column, pa.array(choices)).to_numpy(zero_copy_only=False).astype(bool)
    return found
