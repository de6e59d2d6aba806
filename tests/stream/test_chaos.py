"""Kills at named points while a feed goes on: the tables end as those of a run that nothing disturbed."""

from pathlib import Path

import pytest

from market.contracts import Tick, decode
from market.errors import Rejected
from spark_jobs.kill_points import Point
from stack.chaos.feed import Feed
from stack.chaos.parts import Parts
from stack.chaos.report import summary
from stack.chaos.run import Options, Outcome, run
from stack.chaos.schedule import (
    AFTER_COMMIT,
    AFTER_PARTIALS,
    BEFORE_SCAN,
    COMMIT_LOST,
    COMMIT_UNANSWERED,
    IN_RECOMPUTATION,
    IN_TRANSACTION,
    Kill,
    Target,
)

pytestmark = pytest.mark.stream

SEED = 7
UNGUARDED = Path(__file__).with_name("unguarded_stream.py")
# Every point once, and every target; each kill of the driver costs a start of Spark. The long test has every combination.
EVERY_POINT = (
    Kill(Target.SPARK, COMMIT_UNANSWERED),
    Kill(Target.SPARK, IN_TRANSACTION),
    Kill(Target.SPARK, COMMIT_LOST),
    Kill(Target.POSTGRES, AFTER_PARTIALS),
    Kill(Target.SPARK, AFTER_COMMIT),
    Kill(Target.BROKER, BEFORE_SCAN),
    Kill(Target.SPARK, IN_RECOMPUTATION),
)


def trades_sent(outcome: Outcome, symbols: int) -> int:
    """By reading the feed, not the log: how many trades of known symbols it holds."""
    names = tuple(f"CH{k:02d}" for k in range(symbols))
    feed, found = Feed(outcome.seed, 0, names), 0
    for number in range(outcome.minutes):
        for sent in feed.minute(number):
            try:
                record = decode(sent.value)
            except Rejected:
                continue
            found += isinstance(record, Tick) and record.symbol in names
    return found


def story(outcome: Outcome) -> str:
    examples = [example for table in outcome.verdict.tables for example in table.examples]
    return "\n".join([summary(outcome), *outcome.failed, *examples])


@pytest.mark.timeout(900)  # on a busy machine each start of Spark takes its time
def test_kills_at_every_named_point_lose_nothing_and_double_nothing(chaos_parts: Parts) -> None:
    options = Options(SEED, limit_s=600, deck=EVERY_POINT)
    outcome = run(chaos_parts, options, print)
    assert {kill.point for kill in EVERY_POINT} == set(Point)
    assert [done.kill for done in outcome.kills] == list(EVERY_POINT)
    assert outcome.is_well, story(outcome)
    assert outcome.verdict.trades == trades_sent(outcome, options.symbols)
    assert outcome.restarts == 0


@pytest.mark.timeout(600)
def test_without_the_ledgers_checks_the_same_run_fails(chaos_parts: Parts) -> None:
    outcome = run(chaos_parts, Options(SEED, limit_s=400, deck=EVERY_POINT[:1], script=UNGUARDED), print)
    assert not outcome.is_well
    assert outcome.verdict.doubled > 0, story(outcome)


@pytest.mark.long
@pytest.mark.timeout(3600)
@pytest.mark.parametrize("seed", [1])
def test_fifty_kills_of_a_seeded_schedule_lose_nothing_and_double_nothing(chaos_parts: Parts, seed: int) -> None:
    outcome = run(chaos_parts, Options(seed, limit_s=3000, kills=50), print)
    assert len(outcome.kills) == 50
    assert outcome.is_well, story(outcome)
