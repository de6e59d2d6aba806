"""Made-up bars as a provider would give them: a slow wave with noise, complete, of volume 5."""

import numpy as np
from numpy.typing import NDArray

from market.bars import PRICES, PROVIDER_COMPLETE, empty_rows
from market.batches import Layer
from market.series import SeriesKey
from market.timeframes import DAY_MS

Times = NDArray[np.int64]


def complete_bars(names: list[str], timeframe: str, starts: Times, ends: Times, seed: int, received_ms: int) -> Layer:
    """Bars of these times (milliseconds, rising) for each of the symbols."""
    rows = empty_rows(len(starts) * len(names))
    rows["ts"], rows["end"] = np.tile(starts, len(names)), np.tile(ends, len(names))
    rows["session_date"] = rows["ts"] // DAY_MS
    rows["session_open"] = rows["session_date"] * DAY_MS
    walk = np.round(100 + 5 * np.sin(rows["ts"] / 1e7) + np.random.default_rng(seed).normal(0, 0.1, len(rows)), 2)
    for name in PRICES:
        rows[name] = walk
    rows["volume"], rows["origin"] = 5.0, PROVIDER_COMPLETE
    rows["provider_ms"] = rows["received_ms"] = received_ms
    rows["event_ms"] = rows["end"]
    keys = [SeriesKey(name, timeframe, "regular") for name in names]
    return Layer(keys, np.repeat(np.arange(len(names)), len(starts)), rows)
