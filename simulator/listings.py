"""What is listed: one row of listings.csv an instrument, with defaults where a column is empty."""

import csv
from dataclasses import dataclass
from datetime import date
from pathlib import Path

from simulator.noise import key_of

LISTINGS_FILE = Path(__file__).with_name("listings.csv")
EPOCH = date(1970, 1, 1)
# The prices in listings.csv are roughly those of this day; the past leads up to them and the future starts from them.
REFERENCE_DAY = (date(2026, 1, 2) - EPOCH).days

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
    def has_volume(self) -> bool:
        return self.day_volume > 0


def read_listings(path: Path = LISTINGS_FILE) -> dict[str, Listing]:
    """All instruments by symbol, in the file's order (the better known first)."""
    with path.open(newline="", encoding="utf-8") as file:
        return {row["symbol"]: listing_from(row) for row in csv.DictReader(file)}


def listing_from(row: dict[str, str]) -> Listing:
    symbol, kind, price = row["symbol"], row["type"], float(row["price"])
    volatility, beta, growth = TYPE_DEFAULTS[kind]
    spread = int(key_of("listing", symbol)) / 2.0**64
    listed = (
        date.fromisoformat(row["listed"])
        if row["listed"]
        else date(1985 + int(spread * 25), 1 + int(spread * 97) % 12, 11)
    )
    listed_day = (listed - EPOCH).days
    years = (REFERENCE_DAY - listed_day) / 365.25
    has_volume = kind != "CURRENCY"
    return Listing(
        symbol=symbol,
        name=row["name"],
        kind=kind,
        exchange=row["exchange"],
        currency=row["currency"],
        precision=int(row["precision"] or 2),
        price=price,
        listed_day=listed_day,
        first_price=float(row["first_price"] or price * (1.0 + growth) ** -years),
        day_volume=float(row["volume"] or 2e8 / price * (0.4 + 2.0 * spread)) if has_volume else 0.0,
        volatility=float(row["volatility"] or volatility * (0.75 + 0.6 * spread)),
        beta=beta if kind != "EQUITY" else 0.6 + 0.8 * spread,
        dividend_yield=float(row["dividend"] or 0.0) / 100.0,
    )
