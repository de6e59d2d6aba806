"""A poll a minute: when, for how long, and what is told of it."""

from collections import defaultdict
from dataclasses import dataclass, field, replace
from pathlib import Path

import pytest

from ingestion.errors import BrokerAway, ProviderError, Throttled
from ingestion.poll.once import Summary
from ingestion.poll.plan import Asked, pace_of, plan
from ingestion.poll.poller import next_s, run
from ingestion.records.instruments import Instrument
from ingestion.requesting.budget import Budget
from market.contracts import PROVIDER_SETTLE_MS

pytestmark = pytest.mark.unit

NOON_S = 1_763_985_600.0  # 2025-11-24 12:00 UTC


@dataclass
class Minutes:
    """A clock that only sleeping and polling move, and polls that take `lasts_s` each and are refused as told."""

    at_s: float
    lasts_s: float = 2.0
    refusals: dict[int, ProviderError] = field(default_factory=dict)
    polled_s: list[float] = field(default_factory=list)

    def now(self) -> float:
        return self.at_s

    def sleep(self, seconds: float) -> None:
        assert seconds > 0
        self.at_s += seconds

    def once(self) -> tuple[Summary, ProviderError | None]:
        self.polled_s.append(self.at_s - NOON_S)
        self.at_s += self.lasts_s
        number = len(self.polled_s)
        summary = Summary(
            5, 5, requests=5, bars=number, failed=[f"S{number} 1m"], postponed=number, seconds=self.lasts_s
        )
        return summary, self.refusals.get(number)


@pytest.mark.parametrize(("second", "due"), [(0, 33), (32.9, 33), (33, 93), (59, 93), (93, 153)])
def test_a_poll_is_due_at_the_second_at_which_the_minute_before_is_believed(second: float, due: float) -> None:
    assert next_s(NOON_S + second) - NOON_S == due


def test_the_first_poll_comes_at_once_and_the_last_before_the_end() -> None:
    #  12:00:08  :33  12:01:33  12:02:33 | 12:03:00 the next run begins
    minutes = Minutes(NOON_S + 8)
    total, stopped = run(minutes.once, NOON_S + 180, minutes.now, minutes.sleep)
    assert minutes.polled_s == [8, 33, 93, 153]
    assert stopped is None
    assert minutes.at_s <= NOON_S + 180
    assert (total.polls, total.requests, total.bars, total.postponed, total.skipped) == (4, 20, 10, 4, 0)
    assert total.failed == ["S1 1m", "S2 1m", "S3 1m", "S4 1m"]
    told = total.as_dict()
    assert (told["command"], told["polls"], told["longest_poll_s"]) == ("poll", 4, 2.0)


def test_a_poll_that_takes_longer_than_a_minute_is_followed_by_the_next_minute_and_counted() -> None:
    minutes = Minutes(NOON_S + 33, lasts_s=70)
    total, _ = run(minutes.once, NOON_S + 300, minutes.now, minutes.sleep)
    assert minutes.polled_s == [33, 153, 273]
    assert total.skipped == 3
    assert total.longest_poll_s == 70


def test_a_provider_that_refuses_is_asked_again_in_the_next_minute() -> None:
    throttled = Throttled("throttled, next try in 40 s", 40.0)
    minutes = Minutes(NOON_S + 33, refusals={1: throttled, 2: throttled})
    total, stopped = run(minutes.once, NOON_S + 180, minutes.now, minutes.sleep)
    assert (total.polls, total.refused, stopped) == (3, 2, None)


def test_a_run_that_ends_while_the_provider_refuses_says_so() -> None:
    throttled = Throttled("throttled, next try in 40 s", 40.0)
    minutes = Minutes(NOON_S + 33, refusals={3: throttled})
    _, stopped = run(minutes.once, NOON_S + 180, minutes.now, minutes.sleep)
    assert stopped is throttled


def test_a_broker_that_is_away_ends_the_run() -> None:
    def once() -> tuple[Summary, ProviderError | None]:
        raise BrokerAway("Kafka did not acknowledge 3 records within 30 s")

    minutes = Minutes(NOON_S)
    with pytest.raises(BrokerAway):
        run(once, NOON_S + 180, minutes.now, minutes.sleep)


def test_after_a_suspend_the_run_ends_with_its_next_poll() -> None:
    minutes = Minutes(NOON_S)
    minutes.sleep = lambda _: setattr(minutes, "at_s", NOON_S + 7_200)  # type: ignore[method-assign]
    total, _ = run(minutes.once, NOON_S + 900, minutes.now, minutes.sleep)
    assert total.polls == 2


@dataclass
class Hour:
    """Polls as plan and budget have them, of a provider that answers in 0.3 s. `minutes_s`: when symbols were asked for minutes."""

    clock: Minutes
    budget: Budget
    instruments: list[Instrument]
    asked: dict[str, Asked] = field(default_factory=dict)
    minutes_s: dict[str, list[float]] = field(default_factory=lambda: defaultdict(list))

    def once(self) -> tuple[Summary, ProviderError | None]:
        began_s, requests = self.clock.at_s, 0
        pace = pace_of(self.instruments, self.budget.per_minute, int(began_s * 1000))
        for work in plan(self.instruments, self.asked, pace, int(began_s * 1000)):
            if self.clock.at_s - began_s > 40:
                break
            self.budget.take()
            self.clock.sleep(0.3)
            requests += 1
            symbol, now_ms = work.instrument.symbol, int(self.clock.at_s * 1000)
            last = self.asked.get(symbol, Asked())
            if work.timeframe == "1m":
                self.asked[symbol] = replace(last, minutes_ms=now_ms)
                self.minutes_s[symbol].append(self.clock.at_s)
            else:
                self.asked[symbol] = replace(last, day_ms=now_ms)
        return Summary(requests=requests), None


@pytest.mark.slow
@pytest.mark.parametrize(("symbols", "within_minutes"), [(5, 3), (50, 3), (500, 12)])
def test_each_minute_of_each_symbol_is_confirmed_in_time_within_the_default_budget(
    tmp_path: Path, symbols: int, within_minutes: int
) -> None:
    clock = Minutes(NOON_S)
    budget = Budget(tmp_path / "requests.json", 60, keep=5, now_s=clock.now, sleep=clock.sleep)
    instruments = [
        Instrument(f"S{number}", "S", "EQUITY", "SIM", "24/7", "UTC", "USD", 2, True) for number in range(symbols)
    ]
    hour = Hour(clock, budget, instruments)
    # Five runs of a quarter of an hour, one after the other.
    total = 0
    for quarter in range(1, 6):
        done, _ = run(hour.once, NOON_S + quarter * 900, clock.now, clock.sleep)
        total += done.requests
        clock.at_s = max(clock.at_s, NOON_S + quarter * 900 + 8)
    assert total <= 60 + (clock.at_s - NOON_S)  # a full bucket, and one request a second
    latest_s = 0.0
    # In its first quarter of an hour it asks for everybody's days, too.
    for minute in range(20, 60):
        settled_s = NOON_S + minute * 60 + PROVIDER_SETTLE_MS / 1000
        for asked_s in hour.minutes_s.values():
            confirmed_s = next(at_s for at_s in asked_s if at_s >= settled_s)
            latest_s = max(latest_s, confirmed_s - (NOON_S + minute * 60))
    assert latest_s <= within_minutes * 60
