"""What is listed: one row of listings.csv an instrument, with defaults where the first price or the volatility is empty."""

import csv
from dataclasses import dataclass
from datetime import date
from pathlib import Path

from simulator.noise import key_of

LISTINGS_FILE = Path(__file__).with_name("listings.csv")
EPOCH = date(1970, 1, 1)
# The prices in listings.csv are roughly those of this day; the past leads up to them and the future starts from them.
REFERENCE_DAY = (date(2026, 1, 2) - EPOCH).days

# What a unit of each currency is worth in US dollars, roughly: only to tell how much an instrument is traded.
DOLLARS = {
    "USD": 1.0,
    "EUR": 1.17,
    "GBP": 1.35,
    "GBp": 0.0135,
    "JPY": 0.0064,
    "HKD": 0.128,
    "CHF": 1.26,
    "CAD": 0.73,
    "SEK": 0.095,
}

# Yahoo's instrument types, as (annual volatility, share of the market factor, growth a year before the reference day).
TYPE_DEFAULTS = {
    "EQUITY": (0.30, 1.0, 0.07),
    "ETF": (0.17, 0.9, 0.06),
    "INDEX": (0.16, 0.95, 0.06),
    "CURRENCY": (0.08, -0.1, 0.0),
    "CRYPTOCURRENCY": (0.60, 0.8, 0.35),
}


@dataclass(frozen=True, slots=True)
class Listing:
    """An instrument. Prices are adjusted for all splits; `precision` is in decimal places of the printed price."""

    symbol: str
    name: str
    kind: str
    exchange: str
    currency: str
    precision: int
    price: float
    listed_day: int
    first_price: float
    day_volume: float
    volatility: float
    beta: float
    dividend_yield: float

    @property
    def tick(self) -> float:
        return float(10.0**-self.precision)

    @property
    def turnover(self) -> float:
        """What is traded in a day, in dollars. Coins count their volume in money; what has no volume counts as much traded."""
        if not self.has_volume:
            return 5e9
        return self.day_volume * DOLLARS[self.currency] * (1.0 if self.kind == "CRYPTOCURRENCY" else self.price)

    @property
    def has_volume(self) -> bool:
        return self.day_volume > 0


def read_listings(path: Path = LISTINGS_FILE) -> dict[str, Listing]:
    """All instruments by symbol, in the file's order (the better known first)."""
    with path.open(newline="", encoding="utf-8") as file:
        return {row["symbol"]: listing_from(row) for row in csv.DictReader(file)}


def listing_from(row: dict[str, str]) -> Listing:
    symbol, kind, price = row["symbol"], row["type"], float(row["price"])
    volatility, beta, growth = TYPE_DEFAULTS[kind]
    # Where a column is empty, instruments differ by a number of their own between 0 and 1.
    spread = int(key_of("listing", symbol)) / 2.0**64
    listed_day = (date.fromisoformat(row["listed"]) - EPOCH).days
    years = (REFERENCE_DAY - listed_day) / 365.25
    return Listing(
        symbol=symbol,
        name=row["name"],
        kind=kind,
        exchange=row["exchange"],
        currency=row["currency"],
        precision=int(row["precision"]),
        price=price,
        listed_day=listed_day,
        first_price=float(row["first_price"] or price * (1.0 + growth) ** -years),
        day_volume=float(row["volume"] or 0.0),
        volatility=float(row["volatility"] or volatility * (0.75 + 0.6 * spread)),
        beta=0.6 + 0.8 * spread if kind == "EQUITY" else beta,
        dividend_yield=float(row["dividend"] or 0.0) / 100.0,
    )
