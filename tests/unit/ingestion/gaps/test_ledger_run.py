"""A look of the ledger over what is stored: a database of three symbols of New York, as lists."""

import json
from collections.abc import Callable
from dataclasses import replace
from datetime import date
from typing import Any

import pytest

from ingestion.gaps import tables as ledger_tables
from ingestion.gaps.run import Ledger
from ingestion.records.instruments import Instrument

pytestmark = pytest.mark.unit

At = Callable[[str], int]
MINUTE_MS = 60_000
MONDAY = date(2025, 11, 24)


class Stored:
    """`last` is when the trading ended for all of the symbols; `of_ticks` are minutes that the provider has not confirmed."""

    def __init__(self, symbols: list[str], open_ms: int, last_ms: int, covered_ms: int, of_ticks: int = 0) -> None:
        self.symbols = symbols
        self.minutes = [ms // MINUTE_MS for ms in range(open_ms, last_ms, MINUTE_MS)]
        self.of_ticks = self.minutes[len(self.minutes) - of_ticks :]
        self.covered = (open_ms, covered_ms)
        self.written: list[dict[str, Any]] = []

    def run(self, statement: str, parameters: Any = ()) -> list[tuple[Any, ...]]:
        if "unnest(covered)" in statement:
            return [(symbol, MONDAY, *self.covered) for symbol in self.symbols]
        if "array_agg" in statement and "core.bars" in statement and "GROUP BY session_date" in statement:
            return [(MONDAY, self.minutes, self.of_ticks or None)]
        if "max(ts)" in statement:
            return [(symbol, self.minutes[-1] * MINUTE_MS) for symbol in parameters[0]]
        if "INTO core.session_ledger" in statement:
            names = (
                "expected",
                "present",
                "pending",
                "no_trade",
                "gap",
                "throttled",
                "outage",
                "unconfirmed",
                "closed",
            )
            counts = dict(zip(names, parameters[11:20], strict=True))
            self.written.append({"symbol": parameters[1], **counts, "confirmed": parameters[-1]})
        return []


@pytest.fixture
def three(apple: Instrument) -> list[Instrument]:
    return [replace(apple, symbol=symbol) for symbol in ("AAPL", "IBM", "MSFT")]


def test_an_early_close_is_seen_by_all_of_an_exchanges_symbols_also_where_one_is_looked_at(
    three: list[Instrument], at: At
) -> None:
    # Nobody traded in the last two hours; the provider has spoken for them to the bell.
    bell = at("2025-11-24T21:00")
    stored: Any = Stored([i.symbol for i in three], at("2025-11-24T14:30"), at("2025-11-24T19:00"), bell)
    Ledger(stored, three, 29, 120_000, bell + 2 * MINUTE_MS).look(three[:1])
    assert [(row["symbol"], row["closed"], row["no_trade"]) for row in stored.written] == [("AAPL", 120, 0)]


def test_minutes_of_ticks_alone_are_asked_for_and_counted(three: list[Instrument], at: At) -> None:
    # The last poll was ten minutes before the bell, and no other came.
    bell = at("2025-11-24T21:00")
    stored: Any = Stored(["AAPL"], at("2025-11-24T14:30"), bell, bell - 10 * MINUTE_MS, of_ticks=10)
    found = Ledger(stored, three[:1], 29, 120_000, bell + 30 * MINUTE_MS).look(three[:1])
    [row] = stored.written
    assert (row["expected"], row["present"], row["confirmed"]) == (390, 390, 380)
    assert [(s.start_ms, s.end_ms) for s in found.wanted()["AAPL"]] == [(bell - 10 * MINUTE_MS, bell)]
    assert found.open == {}
    # In the evening all of the session, once.
    found = Ledger(stored, three[:1], 29, 120_000, bell + 4 * 60 * MINUTE_MS).look(three[:1])
    assert [(s.start_ms, s.end_ms) for s in found.wanted()["AAPL"]] == [(at("2025-11-24T14:30"), bell)]


def test_a_refused_row_of_a_file_is_no_hole_of_the_provider() -> None:
    refused = {"timeframe": "1m", "ts_ms": 1_763_994_601_000}
    rows = [("AAPL", json.dumps(refused).encode()), ("MSFT", json.dumps({**refused, "file": "bars.csv"}).encode())]

    class Letters:
        def run(self, _statement: str, _parameters: Any) -> list[Any]:
            return [*rows, ("TSLA", b'{"timeframe": "1m", "ts_ms": Infinity}'), ("NVDA", b"<html>")]

    assert ledger_tables.refused_minutes(Letters(), 0) == {"AAPL": {1_763_994_600_000}}  # type: ignore[arg-type]
