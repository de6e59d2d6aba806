"""What the live service says of itself in one line, for a person. Pure."""

from dataclasses import dataclass

from ingestion.errors import ProviderError, capital, trying_again


@dataclass(frozen=True, slots=True)
class Situation:
    """What the line is made of. Ages and waits in seconds."""

    symbols: int
    # The tracked list's length, None while it was not read yet.
    tracked: int | None
    unknown: int
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
        return "throttled", trying_again(f"throttled by {now.provider_title}", now.next_try_s)
    if now.trouble is not None:
        return "retrying", trying_again(capital(f"{now.provider_title}: {now.trouble.sentence}"), now.next_try_s)
    if not now.symbols:
        return nothing_to_follow(now)
    if not now.is_connected:
        return "retrying", now.feed_state
    if not now.is_trading:
        return "ok", f"{now.symbols} symbols, their exchanges are closed"
    if now.tick_age_s is None:
        return "ok", f"{now.symbols} symbols, no tick yet"
    return "ok", f"{now.symbols} symbols, {now.ticks_per_s:.1f} ticks a second, the last {now.tick_age_s:.1f} s ago"


def nothing_to_follow(now: Situation) -> tuple[str, str]:
    """Why no symbol can be followed, while nothing is known to be wrong: each reason has another remedy."""
    if now.tracked is None:
        return "starting", "the tracked list is being read"
    if now.tracked == 0:
        return "waiting", "no symbol is tracked: add one with `./candlestream symbols add SYMBOL`"
    if now.unknown == now.tracked:
        return "waiting", capital(f"{now.provider_title} knows none of the {now.tracked} tracked symbols")
    return "starting", f"asking {now.provider_title} about {now.tracked - now.unknown} symbols"
