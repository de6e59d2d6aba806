"""`ingest import FILE` on a terminal: a progress bar, the numbers, and the first rows that are wrong."""

import argparse
import json
from collections.abc import Callable

from ingestion import terminal
from ingestion.database import Database
from ingestion.errors import BadConfiguration, BadFile
from ingestion.history.importing import Importer, Request, Summary
from ingestion.publisher import Publisher
from ingestion.records.instruments import Instrument
from ingestion.settings import Settings
from market.calendars import calendar_for, timezone_of
from market.errors import UnknownCalendar
from market.timeframes import TIMEFRAMES


def run(chosen: argparse.Namespace, configured: Settings, publisher: Callable[[], Publisher], now_ms: int) -> int:
    if chosen.timeframe and chosen.timeframe not in TIMEFRAMES:
        raise BadConfiguration(f"--timeframe {chosen.timeframe} is not one of {', '.join(TIMEFRAMES)}")
    request = Request(chosen.file, chosen.symbol, chosen.timeframe, chosen.adjusted, chosen.most_bad)
    newcomer = described_by(chosen)
    importer = Importer(Database(configured.database_url), publisher(), configured.source, request, newcomer, now_ms)
    failure: BadFile | None = None
    with terminal.progress(chosen.file.name) as show:
        try:
            importer.run(lambda done, summary: show(done, f"{summary.bars} bars"))
        except BadFile as error:
            failure = error
    summary = importer.summary
    if chosen.json:
        summary.error = str(failure or "")
        print(json.dumps(summary.as_dict()), flush=True)  # noqa: T201  (a command's answer)
    else:
        terminal.console().print(told(summary), markup=False, highlight=False)
    if failure is not None:
        raise failure
    return 0


def described_by(chosen: argparse.Namespace) -> Callable[[str], Instrument | None]:
    """What a symbol is that only the file knows, by the options. Raises `BadConfiguration`."""
    if not chosen.exchange:
        return lambda _: None
    try:
        calendar = calendar_for(chosen.exchange, chosen.type)
    except UnknownCalendar as error:
        raise BadConfiguration(f"--exchange {chosen.exchange}: {error}") from error

    def newcomer(symbol: str) -> Instrument:
        zone = timezone_of(calendar)
        has_volume = chosen.type != "CURRENCY"
        return Instrument(
            symbol, None, chosen.type, chosen.exchange, calendar, zone, chosen.currency, chosen.precision, has_volume
        )

    return newcomer


def told(summary: Summary) -> str:
    rate = summary.rows / summary.seconds if summary.seconds else 0.0
    lines = [
        f"{summary.rows} rows: {summary.bars} bars of {', '.join(summary.symbols) or 'no symbol'} sent to be stored,"
        f" {summary.dead_letters} dead letters, {summary.seconds:.1f} s ({rate:,.0f} rows a second)"
    ]
    lines += [f"  {sentence}" for sentence in summary.bad]
    if summary.dead_letters > len(summary.bad):
        lines.append(f"  and {summary.dead_letters - len(summary.bad)} more")
    if summary.dead_letters:
        lines.append(
            "`dead-letters list` shows them; mend the file and import it again (harmless for what is stored), or"
        )
        lines.append("`dead-letters edit ID --set FIELD=VALUE` and `dead-letters replay ID`")
    return "\n".join(lines)
