"""Prices that jump absurdly from one tick to the next."""

import pytest

from ingestion.live.jumps import Jumps
from market.contracts import Tick
from market.errors import Reason, Rejected

pytestmark = pytest.mark.unit

#                  times and prices                                        refused
WALKS = [
    ("a market", [(1, 10.0), (2, 99.0), (3, 9.95), (4, 12.0)], []),
    ("one that is off", [(1, 10.0), (2, 1000.0), (3, 10.1), (4, 0.5), (5, 10.2)], [1, 3]),
    ("the same message again is no witness", [(1, 10.0), (2, 1000.0), (2, 1000.0), (3, 10.0)], [1, 2]),
    ("a split overnight", [(1, 1200.0), (2, 60.0), (3, 61.0), (4, 60.5)], [1]),
    ("nonsense twice", [(1, 10.0), (2, 1000.0), (3, 0.001), (4, 10.0)], [1, 2]),
    ("back again", [(1, 10.0), (2, 1000.0), (3, 1001.0), (4, 10.0), (5, 10.1), (6, 10.0)], [1, 3]),
]


@pytest.mark.parametrize(("what", "walk", "refused"), WALKS, ids=[case[0] for case in WALKS])
def test_what_jumps_is_refused_until_another_tick_confirms_it(
    what: str, walk: list[tuple[int, float]], refused: list[int]
) -> None:
    jumps, found = Jumps(10.0), []
    for number, (at_ms, price) in enumerate(walk):
        for symbol in ("AAPL", "MSFT"):
            tick = Tick(source="s", event_ms=at_ms, fetched_ms=at_ms, symbol=symbol, price=price)
            try:
                jumps.check(tick)
            except Rejected as rejected:
                found.append((number, rejected.reason, rejected.symbol))
    assert found == [(number, Reason.PRICE_JUMP, symbol) for number in refused for symbol in ("AAPL", "MSFT")]
