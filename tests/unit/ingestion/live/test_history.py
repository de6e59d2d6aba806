"""Which symbol's history the live service fetches by itself, and when."""

import asyncio
import sys
from pathlib import Path

import pytest

from ingestion.live.history import AGAIN_MS, LEFT_TO_OTHERS_MS, Histories
from ingestion.records.instruments import Instrument, Tracked

pytestmark = pytest.mark.unit

START_MS = 1_764_000_000_000


class Time:
    def __init__(self) -> None:
        self.ms = START_MS

    def now(self) -> int:
        return self.ms


def entry(instrument: Instrument, added_ms: int, has_history: bool = False, is_known: bool = True) -> Tracked:
    return Tracked(instrument.symbol, "ok", 0, instrument if is_known else None, added_ms, has_history)


def test_a_symbol_added_while_the_service_runs_is_due_at_once(apple: Instrument) -> None:
    histories = Histories(Time().now, [])
    histories.note([entry(apple, START_MS + 1)])
    assert histories.due() == "AAPL"


@pytest.mark.parametrize(
    ("added_ms", "has_history", "is_known"), [(START_MS + 1, True, True), (START_MS + 1, False, False)]
)
def test_nothing_is_due_for_one_that_has_its_history_or_is_not_known_yet(
    apple: Instrument, added_ms: int, has_history: bool, is_known: bool
) -> None:
    histories = Histories(Time().now, [])
    histories.note([entry(apple, added_ms, has_history, is_known)])
    assert histories.due() is None


def test_the_list_of_a_first_start_is_not_new(apple: Instrument) -> None:
    time = Time()
    histories = Histories(time.now, [])
    time.ms += 500
    histories.begin()
    histories.note([entry(apple, START_MS + 400)])
    assert histories.due() is None


def test_what_was_there_at_the_start_is_left_to_airflow_for_a_while(apple: Instrument) -> None:
    time = Time()
    histories = Histories(time.now, [])
    histories.note([entry(apple, START_MS - 1)])
    assert histories.due() is None
    time.ms += LEFT_TO_OTHERS_MS + 1
    assert histories.due() == "AAPL"


def test_a_backfill_runs_once_at_a_time_and_is_not_repeated_at_once(apple: Instrument, tmp_path: Path) -> None:
    time, out = Time(), tmp_path / "asked"
    script = f"import sys; open({str(out)!r}, 'a').write(sys.argv[1] + ' ')"
    histories = Histories(time.now, [sys.executable, "-c", script])
    histories.note([entry(apple, START_MS + 1)])

    async def until_asked(times: int) -> None:
        running = asyncio.create_task(histories.run())
        async with asyncio.timeout(20):
            while not (out.exists() and out.read_text() == "AAPL " * times and histories.due() is None):
                await asyncio.sleep(0.02)
        running.cancel()
        await asyncio.gather(running, return_exceptions=True)

    asyncio.run(until_asked(1))
    time.ms += AGAIN_MS
    asyncio.run(until_asked(2))
