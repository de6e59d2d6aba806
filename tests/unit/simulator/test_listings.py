from simulator.intervals import RANGES
from simulator.listings import read_listings
from simulator.splits import read_splits, splits_of
from simulator.venues import VENUES
from simulator.wire import QUOTE_TYPES

LISTINGS = read_listings()


def test_about_six_hundred_instruments_of_every_kind_are_listed():
    assert len(LISTINGS) > 600
    assert {listing.kind for listing in LISTINGS.values()} == set(QUOTE_TYPES)
    assert {
        "AAPL",
        "MSFT",
        "AMZN",
        "GOOGL",
        "NVDA",
        "^GSPC",
        "EURUSD=X",
        "BTC-USD",
        "AZN.L",
        "SAP.DE",
        "7203.T",
        "0700.HK",
    } <= set(LISTINGS)


def test_every_listing_can_be_traded():
    for listing in LISTINGS.values():
        assert listing.exchange in VENUES, listing.symbol
        assert listing.price > 50 * listing.tick, listing.symbol
        assert 0.001 < listing.volatility < 1.2, listing.symbol
        assert listing.has_volume == (listing.kind != "CURRENCY" and listing.symbol not in ("^VIX", "^TNX")), (
            listing.symbol
        )


def test_known_splits_belong_to_listed_symbols():
    assert set(read_splits()) <= set(LISTINGS)


def test_low_adjusted_prices_were_printed_higher():
    """A first price of a few cents, adjusted for splits that are not recorded, gets invented ones."""
    listing = LISTINGS["BBY"]
    factor = 1.0
    for split in splits_of(listing, read_splits()):
        factor *= split.ratio
    assert listing.first_price < 1.0
    assert 12.0 < listing.first_price * factor < 50.0


def test_ranges_are_those_of_yahoo():
    assert RANGES == ("1d", "5d", "1mo", "3mo", "6mo", "1y", "2y", "5y", "10y", "ytd", "max")
