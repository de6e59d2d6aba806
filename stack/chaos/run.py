"""A chaos run from its first record to the verdict: feed, kills, drain, the same log undisturbed, comparison."""

import time
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from itertools import islice
from pathlib import Path

from market.timeframes import DAY_MS
from market.topics import EVENTS
from stack.chaos.compare import Verdict, compare
from stack.chaos.feed import Feed
from stack.chaos.job import Job
from stack.chaos.parts import Parts, tail
from stack.chaos.schedule import ANYWHERE, COMMIT_LOST, COMMIT_UNANSWERED, Kill, Target, schedule
from stack.chaos.source import Place, Source
from stack.errors import Exit, StackError
from stack.parts.spark import JOB
from stack.parts.topics import ensure_topics

# The feed lies in the past, so that no record is from the future, however fast its minutes pass.
DAYS_BACK = 2
LIMIT_S = 180.0
SETTLING = (0, 60, 61, 62)  # minutes
POLL_S = 0.05
# A driver whose connection was cut lives on; all else that is killed at a point has ended by then.
CUT = (COMMIT_LOST, COMMIT_UNANSWERED)

Tell = Callable[[str], None]


@dataclass(frozen=True, slots=True)
class Options:
    """`kills`: how many at most; None goes on until the time is over. `deck`: these instead of the seed's."""

    seed: int
    limit_s: float
    kills: int | None = None
    deck: tuple[Kill, ...] = ()
    symbols: int = 12
    pace_s: float = 0.6  # wall clock seconds a minute of the market
    script: Path = JOB

    def schedule(self) -> Iterable[Kill]:
        return self.deck or islice(schedule(self.seed), self.kills)


@dataclass(slots=True)
class Done:
    """A kill, and the time from it until everything sent before it, and more, was committed."""

    kill: Kill
    recovery_s: float


@dataclass(slots=True)
class Outcome:
    seed: int
    verdict: Verdict
    kills: list[Done]
    minutes: int
    records: int
    # Times that the job ended by itself and was started again, as the supervisor would.
    restarts: int
    failed: list[str] = field(default_factory=list)

    @property
    def is_well(self) -> bool:
        return self.verdict.is_equal and not self.failed


@dataclass(slots=True)
class Attack:
    parts: Parts
    job: Job
    source: Source
    restarts: int = 0

    def carry_out(self, kill: Kill) -> Done:
        time.sleep(kill.pause_s)
        before = dict(self.source.ends)
        victim = {Target.POSTGRES: self.parts.postgres, Target.BROKER: self.parts.broker}.get(kill.target)
        if kill.point == ANYWHERE:
            self.job.process.kill()
        else:
            self.job.arm(kill.point, victim.pid if victim else None)
            self._until(self.job.was_reached, f"the stream at {kill.point}")
            before = dict(self.source.ends)
        began = time.monotonic()
        if victim:
            victim.wait()
            victim.start()
        elif kill.point not in CUT:
            self.job.process.kill()
            self.job.process.start()
        self.job.disarm()
        self._until(lambda: self._is_beyond(before), f"a commit after {kill.target} was killed at {kill.point}")
        return Done(kill, time.monotonic() - began)

    def drain(self) -> None:
        self._until(lambda: self._has(self.source.ends), "the ledger at the log's end")
        self._until(self.job.is_recomputed, "nothing that waits to be recomputed")

    def first_commit(self) -> None:
        self._until(lambda: self._is_beyond({}), "a first commit")

    def _is_beyond(self, before: dict[Place, int]) -> bool:
        stands = self.job.stands()
        if stands is None:
            return False
        live = [(EVENTS.name, partition) for partition in range(EVENTS.partitions)]
        return all(stands.get(place, 0) > before.get(place, 0) for place in live) and self._has(before, stands)

    def _has(self, ends: dict[Place, int], stands: dict[Place, int] | None = None) -> bool:
        at = self.job.stands() if stands is None else stands
        return at is not None and all(at.get(place, 0) >= end for place, end in ends.items())

    def _until(self, holds: Callable[[], bool], what: str) -> None:
        """Waits, and starts the job again where it ended by itself. Raises `StackError`."""
        limit = time.monotonic() + LIMIT_S
        while not holds():
            if time.monotonic() > limit:
                raise StackError(Exit.FAILED, f"not within {LIMIT_S:.0f} s: {what}\n{tail(self.job.process.log)}")
            if not self.job.process.is_alive and not self.job.was_reached():
                self.restarts += 1
                self.job.process.start()
            time.sleep(POLL_S)


def run(parts: Parts, options: Options, tell: Tell) -> Outcome:
    prefix = f"chaos.{next(parts.numbers)}."
    ensure_topics(parts.node.bootstrap, prefix)
    symbols = tuple(f"CH{k:02d}" for k in range(options.symbols))
    start_ms = (int(time.time() * 1000) // DAY_MS - DAYS_BACK) * DAY_MS
    source = Source(Feed(options.seed, start_ms, symbols), parts.node.bootstrap, prefix, options.pace_s)
    job = Job(parts, prefix, symbols, options.script)
    attack, undisturbed = Attack(parts, job, source), Attack(parts, Job(parts, prefix, symbols), source)
    kills: list[Done] = []
    job.process.start()
    source.start()
    try:
        attack.first_commit()
        until = time.monotonic() + options.limit_s
        for kill in options.schedule():
            if time.monotonic() > until:
                break
            kills.append(attack.carry_out(kill))
            tell(f"{kill.target} at {kill.point}: well after {kills[-1].recovery_s:.1f} s")
        if options.kills is None and not options.deck:
            time.sleep(max(0.0, until - time.monotonic()))
        source.finish()
        tell(f"{source.records:,} records in {source.minutes} minutes of the market; the same log undisturbed")
        undisturbed.job.process.start()
        settle(source, [attack, undisturbed])
    finally:
        source.finish()
        job.process.stop()
        undisturbed.job.process.stop()
    verdict = compare(job.url, undisturbed.job.url)
    return Outcome(
        options.seed, verdict, kills, source.minutes, source.records, attack.restarts, source.failed + restarted(undisturbed)
    )  # fmt: skip


def settle(source: Source, streams: list[Attack]) -> None:
    """Clocks after the end: bars close, become final by time, and what only forms is written a last time."""
    for minutes in SETTLING:
        source.clock(minutes)
        for stream in streams:
            stream.drain()


def restarted(undisturbed: Attack) -> list[str]:
    return [f"the undisturbed run ended by itself {undisturbed.restarts} times"] if undisturbed.restarts else []
