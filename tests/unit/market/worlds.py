"""A log of events, and batches of it as the executors would give them."""

from collections import defaultdict
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import date

import numpy as np

from market.bars import PROVIDER_COMPLETE, PROVIDER_PARTIAL, Rows, empty_rows
from market.batches import Batch, Instrument, Layer
from market.calendars import session_on, sessions, sessions_of
from market.extremes import EXTREMES, Extremes
from market.frames import bucket, to_days
from market.latest import BEFORE, LATEST, TICK, Prices
from market.series import SeriesKey
from market.timeframes import MINUTE_MS

# A weekend, a new month, a new week and the end of daylight saving time lie between these two sessions of New York.
FRIDAY, MONDAY, TUESDAY = date(2026, 10, 30), date(2026, 11, 2), date(2026, 11, 3)
INSTRUMENTS = {"AAPL": Instrument("AAPL", "XNYS", 2, True), "BTC-USD": Instrument("BTC-USD", "24/7", 2, True)}
PARTITIONS = {"AAPL": 0, "BTC-USD": 1}


@contextmanager
def instruments(more: dict[str, Instrument]) -> Iterator[None]:
    """A world with some instruments more, on partition 1."""
    INSTRUMENTS.update(more)
    PARTITIONS.update(dict.fromkeys(more, 1))
    try:
        yield
    finally:
        for name in more:
            del INSTRUMENTS[name], PARTITIONS[name]


@dataclass(frozen=True)
class TickEvent:
    symbol: str
    ms: int
    price: float
    day_volume: int = -1
    session: str = "regular"
    day_high: float = np.nan
    day_low: float = np.nan


@dataclass(frozen=True)
class BarEvent:
    """A provider's row; `day` is its session, `ts` any time in the bar."""

    symbol: str
    timeframe: str
    day: date
    ts: int
    ohlcv: tuple[float, float, float, float, float]
    fetched_ms: int
    is_complete: bool = True


@dataclass(frozen=True)
class ClockEvent:
    ms: int
    partition: int


Event = TickEvent | BarEvent | ClockEvent


def open_ms(symbol: str, day: date) -> int:
    return sessions(INSTRUMENTS[symbol].calendar, day, day)[0].open_ms


def batch_of(events: Iterable[Event]) -> Batch:
    """A batch as the executors and `spark_jobs.batch` would give it, by plain Python."""
    batch = Batch()
    said: dict[str, list[TickEvent]] = defaultdict(list)
    minutes: dict[tuple[str, str], dict[int, list[TickEvent]]] = defaultdict(lambda: defaultdict(list))
    provider: dict[SeriesKey, list[Rows]] = defaultdict(list)
    for event in events:
        match event:
            case TickEvent():
                minutes[event.symbol, event.session][event.ms // MINUTE_MS * MINUTE_MS].append(event)
                batch.partitions[event.symbol] = PARTITIONS[event.symbol]
                said[event.symbol].append(event)
            case BarEvent():
                provider[SeriesKey(event.symbol, event.timeframe, "regular")].append(provider_row(event))
            case ClockEvent():
                known_ms = batch.clocks.get(event.partition, (0, 0))[0]
                batch.clocks[event.partition] = (max(known_ms, event.ms), 0)
    batch.quotes = Prices(list(said), np.zeros(len(said), LATEST))
    for row, told in zip(batch.quotes.rows, said.values(), strict=True):
        newest = max(told, key=tick_key)
        row["price"], row["is_ext"], row["event_ms"], row["received_ms"] = (
            newest.price,
            newest.session == "ext",
            newest.ms,
            newest.ms,
        )
        row["session_date"] = session_day(newest.symbol, newest.ms)
        for name in ("previous_close", "day_high", "day_low", "day_volume"):
            row[name] = np.nan
        for names, key in zip((TICK, BEFORE), last_two(told), strict=True):
            for name, value in zip(names, key, strict=True):
                row[name] = value
    batch.extremes = extremes_of(said)
    ticks = {}
    for (symbol, session), by_minute in minutes.items():
        rows = np.concatenate([tick_row(symbol, ts, by_minute[ts]) for ts in sorted(by_minute)])
        ticks[SeriesKey(symbol, "1m", session)] = [rows]
    batch.ticks = layers_of(ticks)
    batch.provider = layers_of({key: layered(rows) for key, rows in provider.items()})
    return batch


def layers_of(groups: dict[SeriesKey, list[Rows]]) -> list[Layer]:
    """The first layer of every series together, then the second, and so on."""
    layers = []
    for depth in range(max(map(len, groups.values()), default=0)):
        here = {key: rows[depth] for key, rows in groups.items() if depth < len(rows)}
        which = np.repeat(np.arange(len(here)), [len(rows) for rows in here.values()])
        layers.append(Layer(list(here), which, np.concatenate(list(here.values()))))
    return layers


def by_series(layers: list[Layer]) -> dict[SeriesKey, list[Rows]]:
    """Layers as the rows of each series."""
    groups: dict[SeriesKey, list[Rows]] = defaultdict(list)
    for layer in layers:
        for k in np.unique(layer.which).tolist():
            groups[layer.keys[k]].append(layer.rows[layer.which == k])
    return dict(groups)


def tick_row(symbol: str, ts: int, ticks: list[TickEvent]) -> Rows:
    first, last = min(ticks, key=tick_key), max(ticks, key=tick_key)
    placed = sessions_of(INSTRUMENTS[symbol].calendar, np.array([ts]))
    row = empty_rows(1)
    row["ts"], row["end"] = ts, ts + MINUTE_MS
    row["session_date"], row["session_open"] = (
        placed.session_date.astype("datetime64[D]").astype(np.int64),
        placed.open_ms,
    )
    row["open"], row["close"] = first.price, last.price
    row["high"], row["low"] = max(tick.price for tick in ticks), min(tick.price for tick in ticks)
    row["ticks"] = len(ticks)
    row["first_ms"], row["first_volume"] = first.ms, first.day_volume
    row["last_ms"], row["last_volume"] = last.ms, last.day_volume
    row["day_volume"] = max(tick.day_volume for tick in ticks)
    row["event_ms"] = row["received_ms"] = last.ms
    return row


def last_two(ticks: Iterable[TickEvent]) -> list[tuple[int, int, float]]:
    """The keys of the last two ticks that differ, zeros where there is no second one."""
    return [*sorted({tick_key(tick) for tick in ticks}, reverse=True), (0, 0, 0.0)][:2]


def session_day(symbol: str, ms: int) -> int:
    """The session of a time, days since the epoch."""
    placed = sessions_of(INSTRUMENTS[symbol].calendar, np.array([ms]))
    return int(placed.session_date.astype("datetime64[D]").astype(np.int64)[0])


def quoted(symbol: str, ticks: Iterable[TickEvent]) -> dict[int, tuple[tuple[int, float], tuple[int, float]]]:
    """Session date → (when the newest high was told, it), (the same of the low); (0, NaN) where none was.

    Only ticks of regular hours whose own price lies within what they tell; of one millisecond the wider word.
    """
    words: dict[int, tuple[tuple[int, float], tuple[int, float]]] = {}
    for tick in ticks:
        if tick.session == "ext" or tick.price > tick.day_high or tick.price < tick.day_low:
            continue
        day = session_day(symbol, tick.ms)
        high, low = words.get(day, ((0, np.nan), (0, np.nan)))
        if tick.day_high == tick.day_high:
            high = max(high, (tick.ms, tick.day_high))
        if tick.day_low == tick.day_low:
            low = max(low, (tick.ms, tick.day_low), key=lambda word: (word[0], -word[1]))
        if high[0] or low[0]:
            words[day] = high, low
    return words


def extremes_of(said: dict[str, list[TickEvent]]) -> Extremes:
    symbols, rows = [], []
    for symbol, ticks in said.items():
        for day, (high, low) in sorted(quoted(symbol, ticks).items()):
            symbols.append(symbol)
            rows.append((day, *(high if high[0] else (0, 0.0)), *(low if low[0] else (0, 0.0))))
    return Extremes(symbols, np.array(rows, EXTREMES))


def tick_key(tick: TickEvent) -> tuple[int, int, float]:
    return tick.ms, tick.day_volume, tick.price


def provider_row(event: BarEvent) -> Rows:
    calendar = INSTRUMENTS[event.symbol].calendar
    session = session_on(calendar, event.day)
    row = empty_rows(1)
    if event.timeframe == "1m":
        row["ts"], row["end"] = event.ts, event.ts + MINUTE_MS
    else:
        row["ts"], row["end"], session = bucket(event.timeframe, event.ts, session, calendar)
    row["session_date"], row["session_open"] = to_days(session.session_date), session.open_ms
    for name, value in zip(("open", "high", "low", "close", "volume"), event.ohlcv, strict=True):
        row[name] = value
    row["origin"] = PROVIDER_COMPLETE if event.is_complete else PROVIDER_PARTIAL
    row["provider_ms"] = row["received_ms"] = event.fetched_ms
    row["event_ms"] = row["end"] if event.is_complete else np.minimum(row["end"], event.fetched_ms)
    return row


def layered(rows: list[Rows]) -> list[Rows]:
    """Rows sorted by time, cut so that no layer has a bar twice."""
    layers: list[dict[int, Rows]] = []
    for row in rows:
        ts = int(row["ts"][0])
        layer = next((layer for layer in layers if ts not in layer), None)
        if layer is None:
            layers.append(layer := {})
        layer[ts] = row
    return [np.concatenate([layer[ts] for ts in sorted(layer)]) for layer in layers]
