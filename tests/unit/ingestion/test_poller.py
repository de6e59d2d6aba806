"""A poll a minute: when, for how long, and what is told of it."""

from dataclasses import dataclass, field

import pytest

from ingestion.errors import BrokerAway, ProviderError, Throttled
from ingestion.poll import Summary
from ingestion.poller import next_s, run

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
