"""Bars fetched of an exchange that adjusts in Yahoo's way, un-adjusted by us: adjusted on read they are what it says itself."""

from collections.abc import Callable
from datetime import UTC, date, datetime
from zoneinfo import ZoneInfo

import numpy as np
import pandas as pd
import pyarrow as pa
import pytest
from psycopg2.extensions import connection as Connection

from ingestion.providers.base import Answer, Row
from ingestion.records.instruments import Instrument
from ingestion.records.rows import records_of
from ingestion.records.splits import SplitFactors
from market.book import Book
from simulator.chart import chart_answer
from simulator.listings import read_listings
from simulator.market import Market
from simulator.splits import read_splits
from spark_jobs.batch import read_scan
from spark_jobs.database.reader import Reader
from spark_jobs.database.writer import Writer
from spark_jobs.scan.known import Known
from spark_jobs.scan.one_pass import HISTORY, Scan
from spark_jobs.scan.partials import PARTIALS
from tests.stream.adjusted.telling import Rows
from tests.unit.market.worlds import INSTRUMENTS
from tests.unit.spark_jobs.scan.test_scan import batch_of as arrow_batch

pytestmark = pytest.mark.stream


NOW_MS = int(datetime(2026, 11, 20, 22, 0, tzinfo=UTC).timestamp() * 1000)
APPLE = Instrument("AAPL", "Apple Inc.", "EQUITY", "NMS", "XNYS", "America/New_York", "USD", 2, True)


def ten_years_of_apple(write: Connection) -> dict[date, tuple[float, float, float]]:
    """Fetched of the simulated exchange, un-adjusted, folded and written as the platform does it; gives what the exchange says
    itself of a day: Close, Volume and Adj Close, made by its own code from its own history."""
    market = Market(7, read_listings(), read_splits(), "XNYS")
    query = {"range": "10y", "interval": "1d", "events": "div,splits"}
    [told] = chart_answer(market, "AAPL", query, NOW_MS)["chart"]["result"]

    def day_of(stamp: float) -> date:
        return datetime.fromtimestamp(float(stamp), ZoneInfo("America/New_York")).date()

    [quote], [adjusted] = told["indicators"]["quote"], told["indicators"]["adjclose"]
    columns = zip(told["timestamp"], *(quote[name] for name in ("open", "high", "low", "close", "volume")), strict=True)
    answer = Answer(
        NOW_MS,
        [Row(int(stamp) * 1000, day_of(stamp), *map(float, ohlcv)) for stamp, *ohlcv in columns],
        [(day_of(each["date"]), each["numerator"] / each["denominator"]) for each in told["events"]["splits"].values()],
        [(day_of(each["date"]), each["amount"]) for each in told["events"]["dividends"].values()],
    )
    records = records_of(answer, APPLE, "1d", "simulator", SplitFactors(answer.splits))
    assert not records.dead_letters
    values = [record.encode() for record in (*records.bars, *records.actions)]
    batches = list(Scan({}, "simulator", Known.of(["AAPL"]))(iter([arrow_batch(values, 0, HISTORY, 0)])))
    scanned = read_scan(pa.Table.from_batches(batches, PARTIALS), INSTRUMENTS, "simulator")
    writer = Writer(write, "simulator")
    writer.prepare()
    with write, write.cursor() as cursor:
        changes = Book(Reader(write, INSTRUMENTS), INSTRUMENTS).apply(scanned.batch)
        writer.write(cursor, changes, scanned, {}, 0)
    closes, volumes, adjusted_closes = quote["close"], quote["volume"], adjusted["adjclose"]
    days = map(day_of, told["timestamp"])
    return {day: values for day, *values in zip(days, closes, volumes, adjusted_closes, strict=True)}  # type: ignore[misc]


def test_what_an_exchange_adjusts_in_yahoos_way_comes_back_from_what_was_printed(
    write: Connection, read: Callable[..., Rows]
) -> None:
    theirs = ten_years_of_apple(write)
    ours = {
        day: values
        for day, *values in read(
            "SELECT session_date, split_close, split_volume, total_return_close, close FROM v1.bars_adjusted('AAPL', '1d')"
        )
    }
    assert ours.keys() == theirs.keys()
    assert len(ours) > 2_500
    before_split = date(2020, 8, 28)
    assert ours[before_split][3] == pytest.approx(4 * theirs[before_split][0], abs=0.01), "it is stored as printed"
    # Printed prices are whole cents: of a price of 25 in today's shares a fourth of half a cent is a twenty-thousandth.
    for day, (close, volume, adjusted_close) in theirs.items():
        assert ours[day][:3] == pytest.approx([close, volume, adjusted_close], rel=1e-4), day
    assert max(abs(close / adjusted - 1) for close, _, adjusted in theirs.values()) > 0.01, "there were dividends"


def test_a_stored_average_divided_by_the_ratio_is_the_average_of_the_adjusted_closes(
    write: Connection, read: Callable[..., Rows]
) -> None:
    """Through the split: that is what lets a chart draw both on one scale."""
    ten_years_of_apple(write)
    rows = read(
        """SELECT b.session_date, b.split_close, i.sma_20 / b.split_ratio FROM v1.bars_adjusted('AAPL', '1d') b
           JOIN v1.indicators i USING (symbol, timeframe, ts) ORDER BY b.ts"""
    )
    closes = pd.Series([close for _, close, _ in rows])
    averages = np.array([average for *_, average in rows], float)
    np.testing.assert_allclose(averages, closes.rolling(20).mean(), rtol=1e-9)
    across = [day for day, *_ in rows].index(date(2020, 8, 31))
    assert np.abs(np.diff(averages[across - 5 : across + 25])).max() < 0.05 * averages[across]
