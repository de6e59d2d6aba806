"""The tracked list from the command line, beside a live service that runs."""

import time

import pytest

from market.contracts import Bar, Tick
from tests.stream.ingestion.rig import Ingestion
from tests.stream.rig import until

pytestmark = pytest.mark.stream


def symbols(ingestion: Ingestion, *arguments: str) -> tuple[int, str]:
    """(exit code, what a person reads)."""
    exit_code, said, errors = ingestion.run("symbols", *arguments)
    return exit_code, said + errors


def test_a_new_symbol_trades_live_and_has_its_chart_and_its_history_by_itself(ingestion: Ingestion) -> None:
    with ingestion.live():
        until(lambda: ingestion.events(Tick), "the first tick")
        exit_code, said = symbols(ingestion, "add", "btc-usd")
        assert exit_code == 0, said
        assert "calendar 24/7" in said
        until(lambda: any(bar.symbol == "BTC-USD" for bar in ingestion.events(Bar)), "its minutes of today")
        until(lambda: any(tick.symbol == "BTC-USD" for tick in ingestion.events(Tick)), "its ticks")
        done = "SELECT history_at IS NOT NULL FROM v1.instruments WHERE symbol = 'BTC-USD'"
        until(lambda: ingestion.sql(done) == [(True,)], "its history")
    frames = {bar.timeframe for bar in ingestion.history(Bar) if bar.symbol == "BTC-USD"}
    assert frames == {"1d", "1m", "5m", "15m", "1h"}
    # The symbols of the first start are the backfill DAG's.
    assert {bar.symbol for bar in ingestion.history(Bar)} == {"BTC-USD"}


@pytest.mark.parametrize(
    ("symbol", "words"),
    [
        # The simulated exchange trades around the clock here, so that all have its calendar.
        ("7203.T", ("Toyota", "equity", "in JPY, 1 decimals")),
        ("VOD.L", ("Vodafone", "equity", "in GBp, 2 decimals")),
        ("SPY", ("etf", "in USD, 2 decimals")),
        ("^GSPC", ("index", "in USD")),
        ("EURUSD=X", ("currency", "5 decimals, no volume")),
    ],
)
def test_what_is_added_is_described_by_the_providers_own_answer(
    ingestion: Ingestion, symbol: str, words: tuple[str, ...]
) -> None:
    exit_code, said = symbols(ingestion, "add", symbol)
    assert exit_code == 0, said
    for word in words:
        assert word in said
    exit_code, said = symbols(ingestion, "list")
    assert (exit_code, symbol in said) == (0, True)


def test_what_nobody_knows_is_said_and_not_added(ingestion: Ingestion) -> None:
    exit_code, said = symbols(ingestion, "add", "NOPE.XX")
    assert (exit_code, said.startswith("The simulated exchange knows no symbol NOPE.XX")) == (13, True), said
    assert ingestion.sql("SELECT count(*) FROM core.instruments WHERE symbol = 'NOPE.XX'") == [(0,)]


def test_what_is_removed_is_followed_no_more_and_keeps_its_data(ingestion: Ingestion) -> None:
    with ingestion.live():
        until(lambda: {tick.symbol for tick in ingestion.events(Tick)} == {"AAPL", "MSFT"}, "ticks of both")
        assert symbols(ingestion, "remove", "MSFT")[0] == 0
        time.sleep(4)
        before = len([tick for tick in ingestion.events(Tick) if tick.symbol == "MSFT"])
        time.sleep(3)
        assert len([tick for tick in ingestion.events(Tick) if tick.symbol == "MSFT"]) == before
    assert ingestion.sql("SELECT tracked, state FROM v1.instruments WHERE symbol = 'MSFT'") == [(False, "ok")]
    exit_code, said = symbols(ingestion, "remove", "MSFT")
    assert (exit_code, "MSFT is not tracked" in said) == (15, True)
