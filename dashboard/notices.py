"""What is wrong or awaited, as sentences for the person at the screen, the gravest first."""

from dataclasses import dataclass
from enum import StrEnum

from dashboard import formats
from dashboard.deployment import Deployment
from dashboard.feed import Snapshot
from dashboard.freshness import Market, hours
from dashboard.queries import Service

SILENT_S = 15
"""A process writes its line at least every five seconds; three in a row are no chance."""
NOTHING_COMMITTED_S = 60
"""The feed's clock alone makes the stream commit every second; a minute without is not a quiet market."""


class Level(StrEnum):
    ERROR = "error"
    WARNING = "warning"
    INFO = "info"


@dataclass(frozen=True, slots=True)
class Notice:
    level: Level
    sentence: str
    remedy: str = ""
    """What to do about it: words of this page alone, in Markdown, so that a command looks like one."""


def notices(snapshot: Snapshot, deployment: Deployment = Deployment.NATIVE) -> list[Notice]:
    """All that is to be said about a snapshot; nothing when all is well."""
    if not snapshot.instruments:
        return [
            *_platform(snapshot, deployment),
            Notice(Level.INFO, "No symbol is tracked yet: ingestion adds the first ones when it starts."),
        ]
    return [*_platform(snapshot, deployment), *_symbol(snapshot)]


def _platform(snapshot: Snapshot, deployment: Deployment) -> list[Notice]:
    services = {service.name: service for service in snapshot.services}
    found = [
        *_ingestion(services.get("ingestion"), deployment),
        *_poll(services.get("poll")),
        *_stream(services.get("spark"), deployment),
    ]
    market = hours(snapshot.sessions, snapshot.now).market
    age_s = snapshot.stream_age_s
    if not found and age_s is not None and age_s > NOTHING_COMMITTED_S and market is not Market.CLOSED:
        silence = f"The stream runs, and has committed nothing new for {formats.age(age_s)}."
        found.append(Notice(Level.WARNING, silence, f"`{deployment.logs('spark')}` says what it waits for."))
    return found


def _stream(spark: Service | None, deployment: Deployment) -> list[Notice]:
    if spark is None:
        return [Notice(Level.INFO, "The stream has not started yet: no candle is being computed.")]
    if spark.age_s > SILENT_S or spark.state == "stopped":
        said = f" It last said: {spark.detail}" if spark.detail else ""
        sentence = _sentence(f"The stream is down: not heard of for {formats.age(spark.age_s)}.{said}")
        return [Notice(Level.ERROR, sentence, _start(deployment, "spark"))]
    if spark.state in ("starting", "retrying", "waiting", "throttled"):
        return [
            Notice(
                Level.WARNING,
                _sentence(f"The stream is {spark.state}: {spark.detail or 'no candle moves until it is ready'}"),
            )
        ]
    return []


def _ingestion(ingestion: Service | None, deployment: Deployment) -> list[Notice]:
    if ingestion is None:
        return [Notice(Level.INFO, "Ingestion has not started yet: no prices are coming in.")]
    if ingestion.age_s > SILENT_S or ingestion.state == "stopped":
        sentence = f"Ingestion is down: not heard of for {formats.age(ingestion.age_s)}, no prices are coming in."
        return [Notice(Level.ERROR, sentence, _start(deployment, "ingestion"))]
    if ingestion.state in ("throttled", "retrying", "waiting", "starting"):
        return [
            Notice(
                Level.WARNING,
                _sentence(f"Ingestion is {ingestion.state}: {ingestion.detail or 'no prices are coming in'}"),
            )
        ]
    return []


def _poll(poll: Service | None) -> list[Notice]:
    """The provider's refusals meet the poll alone while the live feed goes on. It says its word once a run: how long ago counts."""
    if poll is None or poll.state not in ("throttled", "retrying"):
        return []
    said = f"said {formats.age(poll.age_s)} ago"
    return [Notice(Level.WARNING, _sentence(f"The minute poll is {poll.state}: {poll.detail} ({said})"))]


def _symbol(snapshot: Snapshot) -> list[Notice]:
    symbol, instrument = snapshot.symbol, snapshot.instrument
    if instrument is None:
        known = ", ".join(one.symbol for one in snapshot.instruments[:12])
        return [Notice(Level.WARNING, f"{symbol} is not tracked. Tracked are {known}.")]
    if instrument.state == "unknown":
        detail = instrument.state_detail or f"the provider does not know {symbol}"
        return [Notice(Level.WARNING, _sentence(f"{symbol} cannot be shown: {detail}"))]
    if not snapshot.timeframes:
        return [Notice(Level.INFO, f"Waiting for the first candle of {symbol}.")]
    if snapshot.timeframe not in snapshot.timeframes:
        return [Notice(Level.INFO, f"{symbol} has no {snapshot.timeframe} candles yet.")]
    if snapshot.recomputing_from is not None:
        since = f"{symbol} {snapshot.timeframe} since {formats.day(snapshot.recomputing_from)}"
        return [
            Notice(Level.INFO, f"Older candles were corrected: the indicators of {since} are being computed again.")
        ]
    return []


def _start(deployment: Deployment, service: str) -> str:
    return f"`{deployment.start(service)}` starts it, `{deployment.logs(service)}` says why it stopped."


def _sentence(text: str) -> str:
    return text if text.endswith((".", "!", "?")) else f"{text}."
