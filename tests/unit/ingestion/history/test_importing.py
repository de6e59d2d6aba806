"""An import of a file: what becomes a bar, what a dead letter, and what a person is told. Kafka and PostgreSQL are lists here."""

import base64
import json
import tracemalloc
from collections.abc import Callable, Iterable
from datetime import date
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from ingestion import tables
from ingestion.errors import BadConfiguration, BadFile
from ingestion.history.importing import Importer, Request
from ingestion.providers import connect
from ingestion.providers.files import Files
from ingestion.records.instruments import Instrument
from market.contracts import Bar, DeadLetter, Record

pytestmark = pytest.mark.unit

At = Callable[[str], int]
NOW_MS = 1_790_000_000_000
HEADER = "symbol,timeframe,ts,open,high,low,close,volume\n"


class Kafka:
    def __init__(self, keeps: bool = True) -> None:
        self.records: list[Any] = []
        self.keeps = keeps

    def send_all(self, records: Iterable[Record], history: bool = False) -> int:
        assert history
        if self.keeps:
            self.records.extend(records)
        return 1

    def flush(self, _timeout_s: float) -> None:
        pass


@pytest.fixture
def imported(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, apple: Instrument
) -> Callable[..., tuple[Importer, Kafka]]:
    """An import of a text as a CSV file, made ready."""
    monkeypatch.setattr(tables, "instruments", lambda _: {"AAPL": apple})
    monkeypatch.setattr(tables, "stored_splits", lambda *_: {date(2025, 12, 1): 10.0})

    def make(text: str, keeps: bool = True, **request: Any) -> tuple[Importer, Kafka]:
        path = tmp_path / "bars.csv"
        path.write_text(text)
        kafka: Any = Kafka(keeps)
        database: Any = None
        return Importer(database, kafka, "yahoo", Request(path, **request), lambda _: None, NOW_MS), kafka

    return make


def run(importer: Importer) -> None:
    importer.run(lambda *_: None)


def test_rows_are_bars_at_the_exchanges_time_and_the_instruments_precision(imported: Any, at: At) -> None:
    importer, kafka = imported(
        HEADER + "AAPL,1m,2025-11-24 09:30,100.004,101,99,100.5,1000\naapl,1d,2025-11-24,100,101,99,100.5,\n"
    )
    run(importer)
    minute, day = kafka.records
    assert (minute.event_ms, minute.open, minute.volume, minute.is_complete) == (
        at("2025-11-24T14:30"),
        100.0,
        1000.0,
        True,
    )
    assert (day.timeframe, day.session_date, day.event_ms) == ("1d", "2025-11-24", at("2025-11-24T14:30"))
    assert (importer.summary.bars, importer.summary.dead_letters, importer.summary.symbols) == (2, 0, ["AAPL"])


def test_prices_are_taken_as_printed_unless_they_are_said_to_be_adjusted(imported: Any) -> None:
    text = HEADER + "AAPL,1m,2025-11-24T14:30:00Z,10,11,9,10,1000\n"
    importer, kafka = imported(text)
    run(importer)
    assert (kafka.records[0].close, kafka.records[0].volume) == (10.0, 1000.0)
    importer, kafka = imported(text, adjusted=True)
    run(importer)
    assert (kafka.records[0].close, kafka.records[0].volume) == (100.0, 100.0)


@pytest.mark.parametrize(
    ("row", "reason", "words"),
    [
        ("AAPL,1m,2025-11-24T14:30Z,x,101,99,100,1", "wrong_type", "bars.csv row 3: open 'x' is not a number"),
        ("AAPL,1m,2025-11-24T14:30Z,100,99,98,100,1", "bad_range", "bars.csv row 3: open=100.0 high=99.0"),
        ("AAPL,1m,yesterday,100,101,99,100,1", "wrong_type", "bars.csv row 3: time 'yesterday' is neither ISO 8601"),
        ("AAPL,7m,2025-11-24T14:30Z,100,101,99,100,1", "wrong_type", "bars.csv row 3: timeframe '7m' is not one of"),
        ("AAPL,1m,2025-11-24T14:30Z,100,101", "wrong_type", "bars.csv row 3: it has 5 values for 8 columns"),
        ("AAPL,1m,2025-11-24T14:30Z,100,101,99,-1,1", "bad_price", "bars.csv row 3: close=-1.0"),
        (",1m,2025-11-24T14:30Z,100,101,99,100,1", "wrong_type", "bars.csv row 3: it has no symbol"),
        ("AAPL,1m,9999-12-31T23:59:00-11:00,100,101,99,100,1", "wrong_type", "is of the year 9999"),
        ("AAPL,1d,0001-01-01T00:00:00+05:00,100,101,99,100,1", "wrong_type", "is of the year 1"),
        ("AAPL,1d,9990-01-01,100,101,99,100,1", "bad_time", "bars.csv row 3: event_ms="),
        ("AAPL,1m,2300-01-01T15:00Z,100,101,99,100,1", "bad_time", "bars.csv row 3: event_ms="),
        ("ABC,1m,2025-11-24T14:30Z,100,101,99,100,1", "unknown_symbol", "row 3: ABC is not known: `symbols add ABC`"),
    ],
)
def test_a_wrong_row_is_a_dead_letter_with_its_number_and_the_others_go_on(
    imported: Any, row: str, reason: str, words: str
) -> None:
    good = "AAPL,1m,2025-11-24T14:31Z,100,101,99,100,1\n"
    importer, kafka = imported(HEADER + good + row + "\n" + good.replace("31", "32"))
    run(importer)
    [letter] = [record for record in kafka.records if isinstance(record, DeadLetter)]
    assert letter.reason == reason
    assert words in letter.detail
    original = json.loads(base64.b64decode(letter.payload))
    assert original["row"] == 3
    # It counts against the day that it is about, if it says which and that can be.
    is_dated = original["ts_ms"] is not None and reason != "bad_time"
    assert letter.event_ms == (original["ts_ms"] if is_dated else NOW_MS)
    assert len([record for record in kafka.records if isinstance(record, Bar)]) == 2
    assert importer.summary.bad == [letter.detail]


@pytest.mark.parametrize(
    ("text", "request_", "words"),
    [
        ("", {}, "is empty"),
        ("a,b\n1,2\n", {}, "has no column a time (ts, time, timestamp, datetime, date), open, high, low, close"),
        ("Date,Open,High,Low,Close\n2025-11-24,1,1,1,1\n", {"timeframe": "1d"}, "--symbol"),
        ("Date,Open,High,Low,Close\n2025-11-24,1,1,1,1\n", {"symbol": "AAPL"}, "--timeframe"),
        ("Date,Open,High,Low,Close,close\n2025-11-24,1,1,1,1,2\n", {}, "has the column close more than once"),
    ],
)
def test_a_file_that_is_none_of_bars_says_what_to_do(
    imported: Any, text: str, request_: dict[str, str], words: str
) -> None:
    importer, _ = imported(text, **request_)
    with pytest.raises(BadFile) as raised:
        run(importer)
    assert words in str(raised.value)


def test_a_parquet_row_that_python_has_no_value_for_is_a_dead_letter_and_the_others_go_on(
    tmp_path: Path, apple: Instrument
) -> None:
    path = tmp_path / "bars.parquet"
    table = {name: [100.0, 100.0, 100.0] for name in ("open", "high", "low", "close")}
    table["ts"] = pa.array([2**62, 1_763_994_600_000_000, 1_763_994_660_000_000], pa.timestamp("us", "UTC"))
    table["symbol"] = pa.array([b"AAPL", b"AAPL", b"\xff\xfe"], pa.binary()).view(pa.utf8())
    pq.write_table(pa.table(table), path)
    rows = list(Files(path, lambda _: apple, timeframe="1m").lines())
    assert [row.number for row in rows] == [1, 2, 3]
    assert [row.fault.partition(":")[0] for row in rows] == ["ts cannot be read", "", "symbol cannot be read"]
    assert Files(path, lambda _: apple, timeframe="1m").row(rows[1], apple).ts_ms == 1_763_994_600_000


def test_a_file_of_nonsense_ends_early_and_says_where(imported: Any) -> None:
    importer, _ = imported(HEADER + "AAPL,1m,never,1,1,1,1,1\n" * 50, most_bad=10)
    with pytest.raises(BadFile, match="more than 10 rows are wrong, the last at row 12"):
        run(importer)
    assert importer.summary.rows == 11


def test_memory_does_not_grow_with_the_file(imported: Any) -> None:
    row = "AAPL,1m,2025-11-24T14:30Z,100,101,99,100,1\n"
    peaks = []
    for rows in (200, 2_000):
        importer, _ = imported(HEADER + row * rows, keeps=False)
        tracemalloc.start()
        run(importer)
        peaks.append(tracemalloc.get_traced_memory()[1])
        tracemalloc.stop()
    assert peaks[1] < peaks[0] + 100_000


def test_a_provider_is_found_by_the_name_of_its_file(tmp_path: Path) -> None:
    with pytest.raises(BadConfiguration, match=r"there is no ingestion/providers/nobody\.py"):
        connect("nobody", tmp_path, None)  # type: ignore[arg-type]
    with pytest.raises(BadConfiguration, match="has no connect"):
        connect("base", tmp_path, None)  # type: ignore[arg-type]
