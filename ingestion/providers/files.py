"""Bars from a CSV or Parquet file, as a provider: read row by row, so that a file of any size takes the same memory.

Columns are found by name, in any order and case: a time (`ts`, `time`, `timestamp`, `datetime`, `date`), `open`, `high`, `low`,
`close`, and where they are there `volume`, `symbol`, `timeframe`. A time is ISO 8601 (one without an offset is the exchange's own),
or whole seconds or milliseconds since the epoch; a bar's time is its start.
"""

import csv
import math
import time
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from datetime import UTC, date, datetime
from pathlib import Path
from typing import Any, ClassVar
from zoneinfo import ZoneInfo

from ingestion.errors import BadFile, UnknownSymbol
from ingestion.providers.base import Answer, Reach, Row
from ingestion.records.instruments import Instrument
from market.calendars import session_of
from market.timeframes import TIMEFRAMES

TIMES = ("ts", "time", "timestamp", "datetime", "date")
PRICES = ("open", "high", "low", "close")
PARQUET_BATCH = 4_096
# Whole numbers from here on are milliseconds; as seconds they would lie in the year 5138.
MILLISECONDS_FROM = 10**11
# The first and the last that Python has.
FIRST_YEAR, LAST_YEAR = 1, 9999


# The key of a row that says what of it could not be read; no column's name begins with a blank.
UNREADABLE = " unreadable"


class BadRow(ValueError):
    """A row that cannot be read: `str()` says what is wrong with which value."""


@dataclass(frozen=True, slots=True)
class FileRow:
    """A row of a file: its number as an editor counts lines (a Parquet row counts from 1), its values by column."""

    number: int
    values: Mapping[str, Any]
    # How much of the file has been read, 0 to 1.
    done: float
    # Why it cannot be read as a row at all.
    fault: str = ""


class Files:
    """The provider. `symbol` and `timeframe` stand for columns that the file does not have; `instruments` says what is known."""

    title = "the file"
    reach: ClassVar[dict[str, Reach]] = dict.fromkeys(("1d", "1m", "5m", "15m", "1h"), Reach(None, None))

    def __init__(
        self,
        path: Path,
        instruments: Callable[[str], Instrument | None],
        symbol: str | None = None,
        timeframe: str | None = None,
    ) -> None:
        self.path = path
        self._instruments = instruments
        self._symbol = symbol
        self._timeframe = timeframe

    def describe(self, symbol: str) -> Instrument:
        instrument = self._instruments(symbol)
        if instrument is None:
            raise UnknownSymbol(f"{symbol}: a file does not say what a symbol is")
        return instrument

    def newest(self, symbol: str, timeframe: str) -> Answer:
        """The rows of the last session in the file (intraday), or all days."""
        answer = self.history(symbol, timeframe, None, None)
        if not answer.rows or timeframe == "1d":
            return answer
        calendar = self.describe(symbol).calendar
        last = session_of(calendar, answer.rows[-1].ts_ms).session_date
        rows = [row for row in answer.rows if session_of(calendar, row.ts_ms).session_date == last]
        return Answer(answer.asked_ms, rows)

    def history(self, symbol: str, timeframe: str, start_ms: int | None, end_ms: int | None) -> Answer:
        """The readable rows of a window, oldest first. Those that cannot be read are the importer's to report."""
        answer = Answer(int(time.time() * 1000))
        instrument = self.describe(symbol)
        found: dict[int, Row] = {}
        for line in self.lines():
            try:
                if self.symbol_of(line) != symbol or self.timeframe_of(line) != timeframe:
                    continue
                row = self.row(line, instrument)
            except BadRow:
                continue
            if (start_ms is None or row.ts_ms >= start_ms) and (end_ms is None or row.ts_ms < end_ms):
                found[row.ts_ms] = row
        answer.rows.extend(found[ts_ms] for ts_ms in sorted(found))
        return answer

    def lines(self) -> Iterator[FileRow]:
        """The rows as they stand. Raises `BadFile` for a file that is none of bars."""
        if self.path.suffix.lower() in (".parquet", ".pq"):
            return self._checked(parquet_rows(self.path))
        return self._checked(csv_rows(self.path))

    def _checked(self, rows: Iterator[FileRow]) -> Iterator[FileRow]:
        for position, row in enumerate(rows):
            if position == 0:
                self._check_columns(set(row.values))
            yield row

    def _check_columns(self, columns: set[str]) -> None:
        missing = [name for name in PRICES if name not in columns]
        if not columns & set(TIMES):
            missing.insert(0, f"a time ({', '.join(TIMES)})")
        if missing:
            said = ", ".join(sorted(columns)) or "none"
            raise BadFile(f"{self.path} has no column {', '.join(missing)}; its columns are {said}: rename them")
        if self._symbol is None and "symbol" not in columns:
            raise BadFile(f"{self.path} has no column symbol: say whose bars these are with --symbol")
        if self._timeframe is None and "timeframe" not in columns:
            raise BadFile(
                f"{self.path} has no column timeframe: say how long a bar is with --timeframe, such as 1m or 1d"
            )

    def symbol_of(self, line: FileRow) -> str:
        symbol = self._symbol or str(line.values.get("symbol") or "").strip().upper()
        if not symbol:
            raise BadRow("it has no symbol")
        return symbol

    def timeframe_of(self, line: FileRow) -> str:
        timeframe = self._timeframe or str(line.values.get("timeframe") or "").strip()
        if timeframe not in TIMEFRAMES:
            raise BadRow(f"timeframe {timeframe!r} is not one of {', '.join(TIMEFRAMES)}")
        return timeframe

    def row(self, line: FileRow, instrument: Instrument) -> Row:
        """Raises `BadRow` with the column and its value."""
        if line.fault:
            raise BadRow(line.fault)
        zone = ZoneInfo(instrument.timezone)
        is_daily = not TIMEFRAMES[self.timeframe_of(line)].is_intraday
        ts_ms, day = moment(next(line.values[name] for name in TIMES if name in line.values), zone, is_daily)
        opened, high, low, close = (number(name, line.values.get(name)) for name in PRICES)
        volume = number("volume", line.values.get("volume"), when_missing=0.0)
        return Row(ts_ms, day, opened, high, low, close, volume)


def csv_rows(path: Path) -> Iterator[FileRow]:
    """A CSV file with a header line. Raises `BadFile`."""
    try:
        size = max(1, path.stat().st_size)
        with path.open("r", newline="", encoding="utf-8-sig") as file:
            reader = csv.reader(file)
            header = [name.strip().lower() for name in next(reader, [])]
            if not header:
                raise BadFile(f"{path} is empty")
            refuse_doubles(path, header)
            read = 0
            for values in reader:
                read += sum(map(len, values)) + len(values)
                if not values:
                    continue
                if len(values) != len(header):
                    # Kept as a row, so that the importer reports it like every other bad one.
                    fault = f"it has {len(values)} values for {len(header)} columns"
                    named = dict.fromkeys(header) | {"line": ",".join(values)}
                    yield FileRow(reader.line_num, named, min(1.0, read / size), fault)
                    continue
                yield FileRow(reader.line_num, dict(zip(header, values, strict=True)), min(1.0, read / size))
    except OSError as error:
        raise BadFile(f"{path} cannot be read: {error.strerror}") from error
    except UnicodeDecodeError as error:
        raise BadFile(f"{path} is not UTF-8 text: save it as CSV in UTF-8, or name a .parquet file so") from error
    except csv.Error as error:
        raise BadFile(f"{path}: {error}") from error


def refuse_doubles(path: Path, columns: list[str]) -> None:
    """Raises `BadFile`: of two columns of one name nobody can say which is meant."""
    doubles = sorted({name for name in columns if columns.count(name) > 1})
    if doubles:
        raise BadFile(f"{path} has the column {', '.join(doubles)} more than once: rename one of them")


def parquet_rows(path: Path) -> Iterator[FileRow]:
    """A Parquet file, a batch at a time. Raises `BadFile`."""
    import pyarrow as pa
    import pyarrow.parquet as pq

    try:
        with pq.ParquetFile(path) as file:
            total = max(1, file.metadata.num_rows)
            position = 0
            for batch in file.iter_batches(PARQUET_BATCH):
                batch = batch.rename_columns([name.strip().lower() for name in batch.schema.names])
                refuse_doubles(path, batch.schema.names)
                for values in python_rows(batch):
                    position += 1
                    fault = values.pop(UNREADABLE, "")
                    yield FileRow(position, values, position / total, fault)
    except OSError as error:
        raise BadFile(f"{path} cannot be read: {error.strerror or error}") from error
    except pa.ArrowException as error:
        raise BadFile(f"{path} is no Parquet file: {' '.join(str(error).split())[:200]}") from error


def python_rows(batch: Any) -> Iterator[dict[str, Any]]:
    """The rows of an Arrow batch. One that holds what Python has no value for (a time beyond all years, text that is no UTF-8) says
    so under `UNREADABLE`, and the others go on."""
    try:
        yield from batch.to_pylist()
    except (ValueError, OverflowError):
        for index in range(batch.num_rows):
            yield readable_row(batch, index)


def readable_row(batch: Any, index: int) -> dict[str, Any]:
    values: dict[str, Any] = {}
    for name, column in zip(batch.schema.names, batch.columns, strict=True):
        try:
            values[name] = column[index].as_py()
        except (ValueError, OverflowError) as error:
            values[name] = None
            values[UNREADABLE] = f"{name} cannot be read: {' '.join(str(error).split())[:200]}"
    return values


def number(name: str, value: object, when_missing: float | None = None) -> float:
    if value is None or (isinstance(value, str) and not value.strip()):
        if when_missing is None:
            raise BadRow(f"{name} is empty")
        return when_missing
    try:
        found = float(value)  # type: ignore[arg-type]
    except (TypeError, ValueError) as error:
        raise BadRow(f"{name} {value!r} is not a number") from error
    if not math.isfinite(found):
        raise BadRow(f"{name} {value!r} is not a number")
    return found


def moment(value: object, zone: ZoneInfo, is_daily: bool) -> tuple[int, date]:
    """(milliseconds since the epoch, the date in the exchange's zone)."""
    at = parsed(value, zone)
    if not FIRST_YEAR < at.year < LAST_YEAR:
        # In another zone it might lie beyond all years.
        raise BadRow(f"time {value!r} is of the year {at.year}")
    if is_daily and isinstance(value, str) and "T" not in value and ":" not in value:
        return int(at.timestamp() * 1000), at.date()
    return int(at.timestamp() * 1000), at.astimezone(zone).date()


def parsed(value: object, zone: ZoneInfo) -> datetime:
    if isinstance(value, datetime):
        at = value
    elif isinstance(value, date):
        at = datetime(value.year, value.month, value.day)  # noqa: DTZ001  (gets the exchange's zone below)
    else:
        text = str(value).strip()
        try:
            if text.isdigit() and len(text) >= 9:
                whole = int(text)
                return datetime.fromtimestamp(whole / 1000 if whole >= MILLISECONDS_FROM else whole, UTC)
            at = datetime.fromisoformat(text)
        except (ValueError, OverflowError, OSError) as error:
            raise BadRow(
                f"time {value!r} is neither ISO 8601 (2026-01-05T09:30:00-05:00) nor seconds since 1970"
            ) from error
    return at.replace(tzinfo=zone) if at.tzinfo is None else at
