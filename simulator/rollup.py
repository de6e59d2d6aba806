"""Folding rows into longer ones."""

from dataclasses import dataclass

import numpy as np

from simulator.noise import Floats, Ints


@dataclass(frozen=True, slots=True)
class Rows:
    """Bars in order of time, as they go into an answer: `time_s` in seconds since the epoch, NaN where there is no value."""

    time_s: Ints
    open: Floats
    high: Floats
    low: Floats
    close: Floats
    volume: Floats


COLUMNS = ("time_s", "open", "high", "low", "close", "volume")
EMPTY = Rows(np.empty(0, dtype=np.int64), *(np.empty(0) for _ in range(5)))


def fold(rows: Rows, bucket_s: Ints) -> Rows:
    """One row for each run of equal `bucket_s`, stamped with it."""
    if not len(bucket_s):
        return EMPTY
    first = np.flatnonzero(np.append(True, bucket_s[1:] != bucket_s[:-1]))
    last = np.append(first[1:], len(bucket_s)) - 1
    return Rows(
        bucket_s[first],
        rows.open[first],
        np.maximum.reduceat(rows.high, first),
        np.minimum.reduceat(rows.low, first),
        rows.close[last],
        np.add.reduceat(rows.volume, first),
    )


def select(rows: Rows, keep: np.ndarray) -> Rows:
    return Rows(*(getattr(rows, name)[keep] for name in COLUMNS))


def joined(parts: list[Rows]) -> Rows:
    return Rows(*(np.concatenate([getattr(part, name) for part in parts]) for name in COLUMNS)) if parts else EMPTY


def row(time_s: int, open_: float, high: float, low: float, close: float, volume: float) -> Rows:
    """A single row."""
    return Rows(np.array([time_s], dtype=np.int64), *(np.array([value]) for value in (open_, high, low, close, volume)))
