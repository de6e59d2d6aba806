"""A seeded market: trades, provider rows, history, clocks and rubbish, minute by minute, in the order in which they are sent.

A pure function of (seed, start): the same records whenever they are asked.
"""

import json
import random
from collections.abc import Iterator
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from functools import lru_cache

from market.contracts import Action, Bar, Clock, DeadLetter, Tick
from market.timeframes import DAY_MS, MINUTE_MS
from market.topics import DEAD_LETTERS, EVENTS, HISTORY, Topic

SOURCE = "chaos"
HOUR_MS = 60 * MINUTE_MS
CLOCKS = 4  # a minute
TRADES = 24  # a minute and symbol
DAY_VOLUME_STEP = 10_000  # a minute; a minute's own trades stay below it
HISTORY_MINUTES = 60
# One symbol has hours of before that, more than the stream keeps in memory, and their oldest ones are corrected now and then.
HOURS, OLDEST_HOURS, CORRECTED_EVERY = 720, 200, 2
# How often a trade is sent again, and comes up to so many minutes late; how often a provider's row is a correction.
REPEATED, LATE, LATEST_MINUTES, CORRECTED, CORRECTED_AGAIN, PARTIAL = 0.03, 0.03, 40, 0.2, 0.05, 0.1


@dataclass(frozen=True, slots=True)
class Sent:
    """A record on its way; `is_clock`: to every partition of the topic instead of its key's."""

    topic: Topic
    key: str
    value: bytes
    is_clock: bool = False


@dataclass(frozen=True, slots=True)
class Feed:
    """`start_ms` is midnight UTC; the symbols trade around the clock."""

    seed: int
    start_ms: int
    symbols: tuple[str, ...]

    def minute(self, number: int) -> Iterator[Sent]:
        """What is sent while the market's minute `number` passes."""
        now_ms = self.start_ms + number * MINUTE_MS
        rng = random.Random(f"{self.seed}/order/{number}")  # noqa: S311  (seeded, for a test)
        timed: list[tuple[int, int, Sent]] = []

        def at(ms: int, sent: Sent) -> None:
            timed.append((ms, len(timed), sent))

        for symbol in self.symbols:
            for tick in self._due(symbol, number):
                # Order within a symbol is as loose as networks make it.
                at(max(now_ms, tick.event_ms) + rng.randrange(3_000), of(tick))
            for bar in self._provider_rows(symbol, number):
                at(now_ms + rng.randrange(MINUTE_MS), of(bar))
            for sent in self._history(symbol, number):
                at(now_ms + rng.randrange(MINUTE_MS), sent)
        for bar in self._hours(number):
            at(now_ms + rng.randrange(MINUTE_MS), replace(of(bar), topic=HISTORY))
        for sent in self._rubbish(number, rng):
            at(now_ms + rng.randrange(MINUTE_MS), sent)
        for k in range(CLOCKS):
            through_ms = now_ms + k * MINUTE_MS // CLOCKS
            at(through_ms + 3_000, self.clock(through_ms))
        yield from (sent for _, _, sent in sorted(timed, key=lambda entry: entry[:2]))

    def clock(self, through_ms: int) -> Sent:
        clock = Clock(source=SOURCE, event_ms=through_ms, fetched_ms=through_ms + 1_000, since_ms=self.start_ms)
        return Sent(EVENTS, "", clock.encode(), is_clock=True)

    def trades(self, symbol: str, number: int) -> tuple[Tick, ...]:
        """A minute's trades in order; some minutes have none."""
        return trades_of(self, symbol, number)

    def _due(self, symbol: str, number: int) -> Iterator[Tick]:
        """The trades that are sent in a minute: its own, but for the late ones, and late ones of the minutes before."""
        for behind in range(min(number, LATEST_MINUTES) + 1):
            rng = random.Random(f"{self.seed}/delay/{symbol}/{number - behind}")  # noqa: S311
            for tick in self.trades(symbol, number - behind):
                late = rng.randint(1, LATEST_MINUTES) if rng.random() < LATE else 0
                is_repeated = rng.random() < REPEATED
                if late == behind:
                    fetched_ms = tick.fetched_ms + late * MINUTE_MS
                    yield replace(tick, fetched_ms=fetched_ms)
                    if is_repeated:
                        yield replace(tick, fetched_ms=fetched_ms + 1)

    def _provider_rows(self, symbol: str, number: int) -> Iterator[Bar]:
        for behind, share, is_complete in ((1, PARTIAL, False), (2, 0.9, True), (25, CORRECTED_AGAIN, True)):
            trades = self.trades(symbol, number - behind) if number >= behind else ()
            rng = random.Random(f"{self.seed}/row/{behind}/{symbol}/{number}")  # noqa: S311
            if trades and rng.random() < share:
                by = 0.01 * rng.randint(1, 9) if behind == 25 or rng.random() < CORRECTED else 0.0
                yield self._row(symbol, trades, self.start_ms + number * MINUTE_MS, by, is_complete=is_complete)

    def _row(self, symbol: str, trades: tuple[Tick, ...], now_ms: int, by: float, *, is_complete: bool) -> Bar:
        prices = [tick.price for tick in trades]
        ts_ms = trades[0].event_ms // MINUTE_MS * MINUTE_MS
        return Bar(
            source=SOURCE,
            symbol=symbol,
            event_ms=ts_ms,
            fetched_ms=now_ms,
            timeframe="1m",
            open=prices[0],
            high=round(max(prices) + by, 2),
            low=round(min(prices) - by, 2),
            close=prices[-1],
            volume=float(DAY_VOLUME_STEP + round(by * 1_000)),
            session_date=date_of(ts_ms),
            is_complete=is_complete,
        )

    def _history(self, symbol: str, number: int) -> Iterator[Sent]:
        """Six minutes of what was before the feed with each of the first minutes, newest first; and a dividend."""
        for back in range(number * 6 + 1, min(number * 6 + 6, HISTORY_MINUTES) + 1):
            trades = self.trades(symbol, -back)
            if trades:
                now_ms = self.start_ms + number * MINUTE_MS
                yield replace(of(self._row(symbol, trades, now_ms, 0.0, is_complete=True)), topic=HISTORY)
        if number == 5:
            at_ms = self.start_ms + number * MINUTE_MS
            yield of(
                Action(
                    source=SOURCE, symbol=symbol, event_ms=at_ms, fetched_ms=at_ms + 1_000, action="dividend", value=0.5
                )
            )

    def _hours(self, number: int) -> Iterator[Bar]:
        """The first symbol's hours, newest first, to the end of the day before its first minutes; later, one of them otherwise."""
        if number == 0:
            yield from (self._hour(back, number) for back in range(HOURS))
        elif number % CORRECTED_EVERY == 0:
            rng = random.Random(f"{self.seed}/hour/{number}")  # noqa: S311
            yield self._hour(HOURS - 1 - rng.randrange(OLDEST_HOURS), number)

    def _hour(self, back: int, number: int) -> Bar:
        """As it is told in a minute: prices and volume hang on that, so that what follows reaches the newest hour."""
        rng = random.Random(f"{self.seed}/hour/{back}/{number}")  # noqa: S311
        first, last = (100 + rng.randrange(-300, 300) / 100 for _ in range(2))
        ts_ms = self.start_ms - DAY_MS - (back + 1) * HOUR_MS
        return Bar(
            source=SOURCE,
            symbol=self.symbols[0],
            event_ms=ts_ms,
            fetched_ms=self.start_ms + number * MINUTE_MS,
            timeframe="1h",
            open=first,
            high=round(max(first, last) + 0.5, 2),
            low=round(min(first, last) - 0.5, 2),
            close=last,
            volume=float(rng.randrange(1_000, 9_000)),
            session_date=date_of(ts_ms),
            is_complete=True,
        )

    def _rubbish(self, number: int, rng: random.Random) -> Iterator[Sent]:
        symbol = rng.choice(self.symbols)
        good = {"v": 1, "kind": "tick", "source": SOURCE, "symbol": symbol, "price": 1.0}
        good |= {"event_ms": self.start_ms, "fetched_ms": self.start_ms + 40}
        values = (
            b"\xff\xfe%d" % number,
            json.dumps(good).encode()[:-9],
            json.dumps(good | {"price": -1.0}).encode(),
            json.dumps(good | {"symbol": "UNHEARD"}).encode(),
            json.dumps(good | {"v": 9}).encode(),
            b"",
        )
        yield Sent(EVENTS, symbol, rng.choice(values))
        if number % 10 == 3:
            at_ms = self.start_ms + number * MINUTE_MS
            refused = DeadLetter(
                source=SOURCE,
                event_ms=at_ms,
                fetched_ms=at_ms,
                symbol=symbol,
                reason="bad_price",
                detail="price=0",
                payload="e30=",
                # Refused twice, as a provider that repeats itself would have it: one dead letter.
                content_hash=f"{self.seed}-{number // 20}",
            )
            yield Sent(DEAD_LETTERS, symbol, refused.encode())


@lru_cache(maxsize=1 << 14)
def trades_of(feed: Feed, symbol: str, number: int) -> tuple[Tick, ...]:
    rng = random.Random(f"{feed.seed}/{symbol}/{number}")  # noqa: S311
    if rng.random() < 0.04:
        return ()
    ts_ms = feed.start_ms + number * MINUTE_MS
    minute_of_day = ts_ms % DAY_MS // MINUTE_MS
    middle = 100.0 + feed.symbols.index(symbol) * 10 + 5 * ((number * 7 + feed.symbols.index(symbol)) % 40) / 40
    ticks = []
    for k, offset_ms in enumerate(sorted(rng.randrange(MINUTE_MS) for _ in range(rng.randint(1, TRADES)))):
        ticks.append(
            Tick(
                source=SOURCE,
                symbol=symbol,
                event_ms=ts_ms + offset_ms,
                fetched_ms=ts_ms + offset_ms + 40,
                price=round(middle + rng.gauss(0, 0.5), 2),
                day_volume=(minute_of_day + 1) * DAY_VOLUME_STEP + k * 100,
                # Of trades that no tick tells of; some say nothing, and the newest word is not the widest.
                day_high=round(middle + 2 + 0.01 * (number % 17), 2) if k % 3 else None,
                day_low=round(middle - 2 - 0.01 * (number % 13), 2) if k % 4 else None,
            )
        )
    return tuple(ticks)


def of(record: Tick | Bar | Action) -> Sent:
    return Sent(EVENTS, record.symbol, record.encode())


def date_of(ts_ms: int) -> str:
    return datetime.fromtimestamp(ts_ms / 1000, UTC).date().isoformat()
