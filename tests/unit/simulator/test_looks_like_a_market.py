"""What every real market shows: fat tails, volatility that clusters, a busy open and close, no way to tell the next move."""

import numpy as np
import pytest

from simulator.market import Market, minute_block
from tests.unit.simulator.conftest import ms

NOW_MS = ms("2026-03-11T15:41:27+00:00")


def kurtosis(values: np.ndarray) -> float:
    centred = values - values.mean()
    return float((centred**4).mean() / (centred**2).mean() ** 2)


def memory(values: np.ndarray, lag: int) -> float:
    return float(np.corrcoef(values[lag:], values[:-lag])[0, 1])


def daily_returns(market: Market, symbol: str) -> np.ndarray:
    instrument = market.instrument(symbol, NOW_MS)
    through = instrument.row_at(NOW_MS)
    return np.diff(np.log(instrument.days.close[:through] / instrument.days.factor[:through]))


@pytest.fixture(scope="module")
def minutes(exchanges: Market):
    """Sixty full sessions of New York."""
    instrument = exchanges.instrument("AAPL", NOW_MS)
    last = instrument.row_at(NOW_MS)
    rows = [row for row in range(last - 64, last) if instrument.minute_count(row) == 390]
    return minute_block(instrument, np.array(rows))


@pytest.mark.parametrize("symbol", ["AAPL", "MSFT", "AMZN", "GOOGL", "NVDA"])
def test_daily_volatility_is_one_to_three_and_a_half_per_cent(market: Market, symbol: str):
    assert 0.01 < daily_returns(market, symbol).std() < 0.035


def test_daily_returns_have_fat_tails_and_their_size_has_a_memory(market: Market):
    returns = daily_returns(market, "AAPL")
    assert 4.0 < kurtosis(returns) < 15.0
    assert memory(np.abs(returns), 1) > 0.1
    assert memory(np.abs(returns), 20) > 0.05
    assert abs(memory(returns, 1)) < 0.03


@pytest.mark.parametrize("symbol", ["AAPL", "NVDA", "BTC-USD"])
def test_volatility_clusters_far_beyond_chance(market: Market, symbol: str):
    """The autocorrelation of squared returns; without any memory it would be within 3 / sqrt(n) of 0 (Cont, Empirical
    properties of asset returns, 2001). Returns themselves have none that a trader could use."""
    returns = daily_returns(market, symbol)
    chance = 3.0 / np.sqrt(len(returns))
    squared = np.minimum(returns**2, np.quantile(returns**2, 0.99))
    assert all(memory(squared, lag) > chance for lag in (1, 2, 5, 10, 20))
    shuffled = np.random.default_rng(1).permutation(squared)
    assert all(abs(memory(shuffled, lag)) < chance for lag in (1, 2, 5, 10, 20))
    assert abs(memory(returns, 1)) < chance


def test_prices_jump_now_and_then(market: Market, minutes):
    """Days of more than four deviations of the quarter around them, and minutes of more than six of their day."""
    returns = daily_returns(market, "AAPL")
    local = np.sqrt(np.convolve(returns**2, np.ones(61) / 61, mode="same"))
    a_year = (np.abs(returns) > 4.0 * local).sum() / (len(returns) / 365)
    assert 0.2 < a_year < 4.0
    moves = np.diff(np.log(minutes.close.astype(float)), axis=1)
    jumps = (np.abs(moves) > 6.0 * moves.std(axis=1, keepdims=True)).sum(axis=1)
    assert 0.0 < jumps.mean() < 3.0


def test_stocks_move_together(market: Market):
    ours, theirs = (daily_returns(market, symbol)[-2500:] for symbol in ("AAPL", "MSFT"))
    assert 0.2 < np.corrcoef(ours, theirs)[0, 1] < 0.8


def test_minute_returns_have_fat_tails_and_their_size_has_a_memory(minutes):
    returns = np.diff(np.log(minutes.close.astype(float)), axis=1)
    assert 5.0 < kurtosis(returns.ravel()) < 40.0
    size = np.abs(returns).ravel()
    assert memory(size, 1) > 0.15
    assert memory(size, 20) > 0.1
    assert abs(memory(returns.ravel(), 1)) < 0.05


def test_volume_and_volatility_are_high_at_the_open_and_the_close(minutes):
    returns = np.abs(np.diff(np.log(minutes.close.astype(float)), axis=1)).mean(axis=0)
    volume = minutes.volume.mean(axis=0)
    for shape in (returns, volume):
        open_, midday, close = shape[:30].mean(), shape[165:225].mean(), shape[-30:].mean()
        assert open_ > 1.5 * midday
        assert close > 1.3 * midday


def test_known_names_cost_what_they_cost(market: Market):
    """Within a factor of four of their price at the beginning of 2026; a walk is a walk."""
    for symbol in list(market.listings)[:40]:
        instrument = market.instrument(symbol, NOW_MS)
        price = instrument.bar(instrument.row_at(NOW_MS)).close * instrument.listing.tick
        assert 0.25 < price / instrument.listing.price < 4.0, symbol
