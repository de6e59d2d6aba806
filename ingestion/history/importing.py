"""`ingest import FILE`: bars of a file to the history topic; rows that are wrong become dead letters with their number."""

import json
import time
from collections.abc import Callable
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

import structlog

from ingestion import tables
from ingestion.database import Database
from ingestion.errors import BadFile
from ingestion.providers.base import Answer
from ingestion.providers.files import BadRow, FileRow, Files
from ingestion.publisher import Publisher
from ingestion.records.instruments import Instrument
from ingestion.records.rows import bar_of, dead_letter
from ingestion.records.splits import SplitFactors
from market.contracts import Bar, DeadLetter
from market.errors import Reason, Rejected
from market.timeframes import TIMEFRAMES

log = structlog.get_logger()

FLUSH_S = 120.0
SHOWN = 5


@dataclass(slots=True)
class Summary:
    """What an import did, in numbers."""

    rows: int = 0
    bars: int = 0
    dead_letters: int = 0
    symbols: list[str] = field(default_factory=list)
    unknown: list[str] = field(default_factory=list)
    # The first bad rows, for the person who can mend the file.
    bad: list[str] = field(default_factory=list)
    seconds: float = 0.0
    error: str = ""

    def as_dict(self) -> dict[str, object]:
        return {"command": "import", **asdict(self), "seconds": round(self.seconds, 2)}


@dataclass(frozen=True, slots=True)
class Request:
    """What was asked. `adjusted`: prices and volumes are adjusted for the splits that are stored, as Yahoo's are."""

    path: Path
    symbol: str | None = None
    timeframe: str | None = None
    adjusted: bool = False
    most_bad: int = 1_000


class Importer:
    """One import: reads a row, sends a record, and remembers nothing but counts."""

    def __init__(
        self,
        database: Database,
        publisher: Publisher,
        source: str,
        request: Request,
        newcomer: Callable[[str], Instrument | None],
        now_ms: int,
    ) -> None:
        self._database = database
        self._publisher = publisher
        self._source = source
        self._request = request
        self._newcomer = newcomer
        self._now_ms = now_ms
        self._answer = Answer(now_ms)
        self._known = tables.instruments(database)
        self._factors: dict[str, SplitFactors] = {}
        self.files = Files(request.path, self.instrument, request.symbol, request.timeframe)
        self.summary = Summary()

    def instrument(self, symbol: str) -> Instrument | None:
        """What is known of a symbol; one that is described on the command line becomes known, and is not polled."""
        found = self._known.get(symbol)
        if found is None and (found := self._newcomer(symbol)) is not None:
            tables.save_untracked(self._database, found, self._source)
            self._known[symbol] = found
        return found

    def run(self, progress: Callable[[float, Summary], None]) -> Summary:
        """Raises `BadFile` where the file cannot be read, or where too many of its rows are wrong."""
        started_s = time.monotonic()
        symbols: set[str] = set()
        try:
            for line in self.files.lines():
                self.summary.rows += 1
                record = self._record(line)
                if isinstance(record, Bar):
                    symbols.add(record.symbol)
                    self.summary.bars += 1
                self._publisher.send_all([record], history=True)
                if self.summary.rows % 1_000 == 0:
                    progress(line.done, self.summary)
        finally:
            self._publisher.flush(FLUSH_S)
            self.summary.symbols = sorted(symbols)
            self.summary.seconds = time.monotonic() - started_s
        progress(1.0, self.summary)
        return self.summary

    def _record(self, line: FileRow) -> Bar | DeadLetter:
        symbol, timeframe = "", ""
        try:
            if line.fault:
                raise BadRow(line.fault)
            symbol = self.files.symbol_of(line)
            timeframe = self.files.timeframe_of(line)
            instrument = self.instrument(symbol)
            if instrument is None:
                return self._unknown(line, symbol)
            row = self.files.row(line, instrument)
            frame, factors = TIMEFRAMES[timeframe], self._factors_of(symbol)
            return bar_of(row, False, None, self._answer, instrument, frame, self._source, factors)
        except BadRow as error:
            return self._refused(line, Rejected(Reason.WRONG_TYPE, str(error), symbol), timeframe)
        except Rejected as rejected:
            return self._refused(line, rejected, timeframe)

    def _factors_of(self, symbol: str) -> SplitFactors:
        if symbol not in self._factors:
            splits = tables.stored_splits(self._database, symbol) if self._request.adjusted else {}
            self._factors[symbol] = SplitFactors(list(splits.items()))
        return self._factors[symbol]

    def _unknown(self, line: FileRow, symbol: str) -> DeadLetter:
        if symbol not in self.summary.unknown:
            self.summary.unknown.append(symbol)
        detail = f"{symbol} is not known: `symbols add {symbol}`, or say --exchange and --currency"
        return self._refused(line, Rejected(Reason.UNKNOWN_SYMBOL, detail, symbol), self._request.timeframe or "")

    def _refused(self, line: FileRow, rejected: Rejected, timeframe: str) -> DeadLetter:
        """The row with what could be read of it, so that it can be mended and replayed without the file."""
        where = f"{self._request.path.name} row {line.number}"
        sentence = f"{where}: {rejected.detail}"
        self.summary.dead_letters += 1
        if len(self.summary.bad) < SHOWN:
            self.summary.bad.append(sentence)
        if self.summary.dead_letters > self._request.most_bad:
            self.summary.error = f"more than {self._request.most_bad} rows are wrong, the last at row {line.number}"
            raise BadFile(
                f"{self.summary.error} ({rejected.detail}): nothing after it was read; mend the file and import it again,"
                " or allow more with --most-bad"
            )
        symbol = rejected.symbol
        original = {**line.values, "symbol": symbol, "timeframe": timeframe, **self._times(line, symbol)}
        original |= {"as_printed": not self._request.adjusted, "file": self._request.path.name, "row": line.number}
        text = json.dumps(original, default=str).encode()
        letter = Rejected(rejected.reason, sentence, symbol)
        event_ms = self._now_ms if original["ts_ms"] is None else original["ts_ms"]
        return dead_letter(text, letter, self._source, event_ms, self._now_ms, symbol)

    def _times(self, line: FileRow, symbol: str) -> dict[str, Any]:
        """The bar's start and day where they can be read, for a replay."""
        instrument = self._known.get(symbol)
        none: dict[str, Any] = {"ts_ms": None, "day": None}
        if instrument is None:
            return none
        harmless = FileRow(
            line.number, {**line.values, **dict.fromkeys(("open", "high", "low", "close"), 1.0), "volume": 0}, 0
        )
        try:
            row = self.files.row(harmless, instrument)
        except BadRow:
            return none
        return {"ts_ms": row.ts_ms, "day": row.day.isoformat()}
