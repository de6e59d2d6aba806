"""How far another convention would take our numbers: the figures of docs/why-numbers-differ.md.

    python -m bench.differences

Measured on the simulated exchange with New York's hours and its default seed, AAPL and BTC-USD, in a past that does not change: 60
sessions of minutes before 1 October 2026, and all daily bars before it. A difference is the other convention's value minus ours.
"""

from collections.abc import Iterator
from datetime import UTC, date, datetime

import numpy as np
import pandas as pd
import talib
from numpy.typing import NDArray

from bench.agreement import Bars, kernel
from market.indicators import VALUES
from simulator.dividends import dividend_factors
from simulator.listings import EPOCH, read_listings
from simulator.market import Instrument, Market
from simulator.parts import Part
from simulator.splits import read_splits

Floats = NDArray[np.float64]
END_MS = int(datetime(2026, 10, 1, tzinfo=UTC).timestamp() * 1000)
SEED, SESSIONS = 20_260_102, 60
FOUR_FOR_ONE = (date(2020, 8, 31) - EPOCH).days


def minutes_of(instrument: Instrument, parts: tuple[Part, ...] = (Part.REGULAR,)) -> pd.DataFrame:
    """Minute bars with a trade in them, by start (UTC), with their session's number and part."""
    last = instrument.row_at(END_MS)
    frames = []
    for row in range(last - SESSIONS, last):
        for part in parts:
            made, scale = instrument.minutes(row, part), 10.0**-instrument.listing.precision
            prices = {name: getattr(made, name) * scale for name in ("open", "high", "low", "close")}
            start = pd.to_datetime(instrument.minute_starts(row, part), unit="ms", utc=True)
            frame = pd.DataFrame({**prices, "volume": made.volume, "session": row, "part": str(part)}, index=start)
            frames.append(frame[made.trades > 0])
    return pd.concat(frames)


def days_of(instrument: Instrument) -> pd.DataFrame:
    """Daily bars as printed, by date."""
    count, days = instrument.row_at(END_MS), instrument.days
    frame = pd.DataFrame(
        {
            name: getattr(days, name)[:count] * 10.0**-instrument.listing.precision
            for name in ("open", "high", "low", "close")
        }
    )
    frame["volume"] = days.volume[:count].astype(float)
    # As a share of the printed price: what Yahoo's split-adjusted columns are multiplied by.
    frame["split"] = 1 / (days.factor[:count] / days.factor[count - 1])
    frame.index = pd.Index([instrument.day(row) for row in range(count)])
    return frame


def bars(frame: pd.DataFrame) -> Bars:
    open_, high, low, close, volume = (
        frame[name].to_numpy(float) for name in ("open", "high", "low", "close", "volume")
    )
    session = frame["session"].to_numpy(np.int64) if "session" in frame else np.arange(len(frame))
    return Bars(open_, high, low, close, volume, session)


def values(frame: pd.DataFrame) -> pd.DataFrame:
    """Our indicators of these bars."""
    return pd.DataFrame(kernel(bars(frame)), index=frame.index, columns=list(VALUES))


def resampled(minutes: pd.DataFrame, key: "pd.Series[int] | NDArray[np.int64]") -> pd.DataFrame:
    """Bars of groups of minutes."""
    how = {"open": "first", "high": "max", "low": "min", "close": "last", "volume": "sum", "session": "last"}
    return minutes.groupby(key).agg(how)


def told(what: str, difference: "pd.Series[float] | Floats", unit: str) -> str:
    """One line: median size, the size that one in twenty exceeds, and which way."""
    found = np.asarray(difference, float)
    found = found[np.isfinite(found)]
    size, above = np.abs(found), 100 * np.mean(found > 0)
    return f"{what:<62} median {np.median(size):9.4g} {unit:<6} 95th {np.quantile(size, 0.95):9.4g}  above ours {above:3.0f} %"


def adjustment(daily: pd.DataFrame, instrument: Instrument) -> Iterator[str]:
    recent = daily.iloc[-252]
    factors = dividend_factors(np.array(daily.index), daily["close"].to_numpy(), instrument.dividends)
    for years in (1, 5, 20):
        share = 100 * (factors[-252 * years] / factors[-1] - 1)
        yield f"dividends: adjusted close {years} years back against the price       {share:8.2f} %"
    assert recent["split"] == 1.0
    at = daily.index.get_loc(FOUR_FOR_ONE)
    adjusted = daily[["open", "high", "low", "close"]].mul(daily["split"], axis=0).assign(volume=daily["volume"])
    print_, adjusted_ = values(daily), values(adjusted)
    yield f"split 4:1: adjusted price of the day before against the printed {100 * (daily['split'].iloc[at - 1] - 1):8.2f} %"
    for name in ("sma_20", "sma_50"):
        share = 100 * (adjusted_[name].iloc[at] / daily["split"].iloc[at] / print_[name].iloc[at] - 1)
        yield f"split 4:1: adjusted {name} on its day against one of printed prices  {share:8.2f} %"
    points = adjusted_["rsi_14"].iloc[at] - print_["rsi_14"].iloc[at]
    yield f"split 4:1: adjusted rsi_14 on its day against one of printed prices  {points:8.2f} points"


def seeding(minutes: pd.DataFrame) -> Iterator[str]:
    """A chart that loads only the last bars begins its averages there."""
    full = values(minutes)
    for loaded in (50, 100, 250, 500):
        rsi, ema = [], []
        for end in range(2_000, len(minutes), 400):
            short, at = values(minutes.iloc[end - loaded : end]), end - 1
            rsi.append(short["rsi_14"].iloc[-1] - full["rsi_14"].iloc[at])
            ema.append(100 * (short["ema_26"].iloc[-1] / full["ema_26"].iloc[at] - 1))
        yield told(f"rsi_14 of the last {loaded} bars alone", np.array(rsi), "points")
        yield told(f"ema_26 of the last {loaded} bars alone", np.array(ema), "%")


def smoothing(minutes: pd.DataFrame) -> Iterator[str]:
    ours, close = values(minutes), minutes["close"]
    step = close.diff()
    rise, fall = step.clip(lower=0).rolling(14).mean(), (-step).clip(lower=0).rolling(14).mean()
    yield told(
        "rsi with simple averages (Cutler) instead of Wilder's", 100 * rise / (rise + fall) - ours["rsi_14"], "points"
    )
    ranges = pd.Series(
        talib.TRANGE(*(minutes[name].to_numpy() for name in ("high", "low", "close"))), index=minutes.index
    )
    yield told("atr as a simple average", 100 * (ranges.rolling(14).mean() / ours["atr_14"] - 1), "%")
    line = talib.MACD(close.to_numpy())[0] - ours["macd"]
    yield told("macd of TA-Lib in its first 60 bars, as a share of the price", 100 * (line / close).iloc[33:93], "%")


def volume_weighted(instrument: Instrument, minutes: pd.DataFrame) -> Iterator[str]:
    ours, ends = values(minutes)["session_vwap"], []
    for row in minutes["session"].unique()[-10:]:
        paid = shares = 0.0
        for minute in range(instrument.minute_count(row)):
            made = instrument.trades(row, minute)
            each = np.diff(made.volume, prepend=0)
            paid += float((made.price * each).sum()) * 10.0**-instrument.listing.precision
            shares += float(each.sum())
        ends.append(1e4 * (paid / shares / ours[minutes["session"] == row].iloc[-1] - 1))
    yield told("vwap from trades at the session's end", np.array(ends), "bp")


def sessions(instrument: Instrument, minutes: pd.DataFrame) -> Iterator[str]:
    whole = minutes_of(instrument, (Part.PRE, Part.REGULAR, Part.POST))
    ours, theirs = values(minutes), values(whole).loc[minutes.index]
    opening = minutes.groupby("session").cumcount() < 15
    for name, unit in (("sma_20", "%"), ("ema_26", "%"), ("rsi_14", "points")):
        apart = theirs[name] - ours[name] if unit == "points" else 100 * (theirs[name] / ours[name] - 1)
        yield told(f"{name} with extended hours, first 15 minutes", apart[opening], unit)
        yield told(f"{name} with extended hours, after them", apart[~opening], unit)
    hour = minutes.index.floor("h").asi8
    clock, anchored = resampled(minutes, hour), resampled(minutes, minutes["session"] * 10 + hours_since_open(minutes))
    ends = [values(each)["rsi_14"].to_numpy()[each["session"].diff(-1).to_numpy() != 0] for each in (anchored, clock)]
    yield told("rsi_14 at the close, of hours by the clock instead of the open", ends[1] - ends[0], "points")


def hours_since_open(minutes: pd.DataFrame) -> "pd.Series[int]":
    opened = minutes.index.to_series().groupby(minutes["session"]).transform("min")
    return (minutes.index.to_series() - opened) // pd.Timedelta(hours=1)


def forming(minutes: pd.DataFrame) -> Iterator[str]:
    """Five-minute bars two minutes after they began, against what they closed as."""
    key = (minutes["session"] * 100 + minutes.groupby("session").cumcount() // 5).to_numpy()
    closed, ours = resampled(minutes, key), values(resampled(minutes, key))
    early = resampled(minutes[minutes.groupby(key).cumcount() < 2], key[minutes.groupby(key).cumcount() < 2])
    rsi, sma = [], []
    for at in range(300, 700):
        peeked = values(pd.concat([closed.iloc[: at - 1], early.iloc[at - 1 : at]])).iloc[-1]
        rsi.append(peeked["rsi_14"] - ours["rsi_14"].iloc[at - 1])
        sma.append(100 * (peeked["sma_5"] / ours["sma_5"].iloc[at - 1] - 1))
    yield told("rsi_14 of a five-minute bar after two minutes", np.array(rsi), "points")
    yield told("sma_5 of a five-minute bar after two minutes", np.array(sma), "%")


def days_and_weeks(minutes: pd.DataFrame) -> Iterator[str]:
    """Of a coin, which never closes."""
    by_utc = resampled(minutes, minutes.index.floor("D").asi8)
    by_new_york = resampled(minutes, minutes.index.tz_convert("America/New_York").date)
    count = min(len(by_utc), len(by_new_york) - 1)
    apart = 100 * (by_new_york["close"].to_numpy()[:count] / by_utc["close"].to_numpy()[:count] - 1)
    yield told("daily close of a coin at New York's midnight", apart, "%")
    monday = resampled(minutes, minutes.index.tz_localize(None).to_period("W-SUN").asi8)
    sunday = resampled(minutes, minutes.index.tz_localize(None).to_period("W-SAT").asi8)
    count = min(len(monday), len(sunday)) - 1
    apart = 100 * (sunday["close"].to_numpy()[:count] / monday["close"].to_numpy()[:count] - 1)
    yield told("weekly close of a coin, weeks that begin on Sunday", apart, "%")


def main() -> None:
    market = Market(SEED, read_listings(), read_splits(), "XNYS")
    stock, coin = (market.instrument(symbol, END_MS) for symbol in ("AAPL", "BTC-USD"))
    minutes, daily = minutes_of(stock), days_of(stock)
    print(f"{len(minutes):,} minutes and {len(daily):,} days of {stock.listing.symbol}")
    for lines in (
        adjustment(daily, stock),
        seeding(minutes),
        smoothing(minutes),
        volume_weighted(stock, minutes),
        sessions(stock, minutes),
        forming(minutes),
        days_and_weeks(minutes_of(coin)),
    ):
        print(*lines, sep="\n")


if __name__ == "__main__":
    main()
