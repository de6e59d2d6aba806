"""What the live service says of itself in one line, for a person. Pure."""

from dataclasses import dataclass

from ingestion.errors import ProviderError


@dataclass(frozen=True, slots=True)
class Situation:
    """What the line is made of. Ages and waits in seconds."""

    symbols: int
    is_connected: bool
    feed_state: str
    is_trading: bool
    is_broker_away: bool
    queued: int
    ticks_per_s: float
    tick_age_s: float | None
    provider_title: str
    trouble: ProviderError | None
    next_try_s: float


def line(now: Situation) -> tuple[str, str]:
    """(state, detail): the most pressing of what is wrong, or how it goes."""
    if now.is_broker_away:
        return "waiting", f"Kafka is away, {now.queued} records wait for it"
    if now.trouble is not None and now.trouble.state == "throttled":
        return "throttled", f"throttled by {now.provider_title}, next try in {max(0.0, now.next_try_s):.0f} s"
    if now.trouble is not None:
        return "retrying", f"{now.provider_title}: {now.trouble}, next try in {max(0.0, now.next_try_s):.0f} s"
    if not now.symbols:
        return "waiting", "no symbol is tracked"
    if not now.is_connected:
        return "retrying", now.feed_state
    if not now.is_trading:
        return "ok", f"{now.symbols} symbols, their exchanges are closed"
    if now.tick_age_s is None:
        return "ok", f"{now.symbols} symbols, no tick yet"
    return "ok", f"{now.symbols} symbols, {now.ticks_per_s:.1f} ticks a second, the last {now.tick_age_s:.1f} s ago"
