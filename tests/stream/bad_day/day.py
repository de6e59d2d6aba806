"""The day's course: windows of two sessions, what is done to the disturbed run in them, and what both must come to."""

import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from datetime import datetime
from pathlib import Path

from market.timeframes import MINUTE_MS
from market.timeline import Timeline, Window
from simulator.faults.scenario import read_scenario
from stack.chaos.compare import QUERIES, Table, difference
from stack.chaos.parts import Parts
from stack.home import REPO
from tests.stream.bad_day.side import STOCKHOLM, Side, together
from tests.stream.rig import until

FOLDER = Path(__file__).parent
SYMBOLS = ("VOLV-B.ST", "ERIC-B.ST", "ATCO-A.ST")
SEED = 11
# Both runs have what was before as any platform has its history: from a backfill. From its first minute on the ledger expects all
# of them, so that a machine that stands still for minutes only makes more to heal.
HISTORY = {"1d": "2024-03-01", "1m": "2024-03-27"}
LONG_MS = 86_400_000
# In the exchange's seconds: a feed that says nothing for minutes of its day is dead.
SETTINGS = {"CANDLESTREAM_REQUESTS_PER_MINUTE": "600", "CANDLESTREAM_SILENCE_TIMEOUT_S": "240"}
# The day begins when every process is up: so many times as long after their start as one small command took. Where they are not by
# then, they are started anew, with twice the time; and where that command takes longer than it should, the day is played slower.
STARTS, LEAST_START_S, MOST_STARTS = 20.0, 10.0, 4
SMALL_COMMAND_S, SLOWEST = 1.0, 20.0
FINAL_LIMIT_S = 600.0
LAST_LINES = 40

# What was traded while nobody listened is in the provider's minutes but was never a tick: counts of ticks differ. A day's forming
# bars are gone by the end; what was refused on the way is the disturbed run's own.
COMPARED = {
    "bars": """SELECT (symbol, timeframe, session, ts)::text, (bar_end, session_date, open, high, low, close, volume)::text
               FROM v1.bars WHERE session = 'regular'""",
    "final flags": """SELECT (symbol, timeframe, session, ts)::text, (is_closed, is_final)::text FROM v1.bars
                      WHERE session = 'regular'""",
    "indicators": QUERIES["indicators"],
    "states": QUERIES["states"],
    "corporate actions": QUERIES["corporate actions"],
    "ledger": """SELECT (symbol, session_date)::text,
                        (expected, present, pending, no_trade, provider_gap, throttled, our_outage, unconfirmed, closed,
                         is_settled)::text
                 FROM v1.session_ledger""",
}


def ms(text: str) -> int:
    return int(datetime.fromisoformat(text).timestamp() * 1000)


@dataclass(frozen=True, slots=True)
class Act:
    """At a time of the exchange something is done to both sides, or to the disturbed one alone."""

    at: str
    name: str
    only_disturbed: bool = False


@dataclass(frozen=True, slots=True)
class Script:
    """`windows` are (begin, end) at the exchange; the last one has the evening in which all is made good."""

    speed: float
    ticks_per_second: float
    windows: tuple[tuple[str, str], ...]
    faults: str
    acts: tuple[Act, ...]

    def timeline(self, begins_ms: int, speed: float) -> Timeline:
        windows, at_ms = [], begins_ms
        for begin, end in self.windows:
            windows.append(Window(at_ms, ms(begin)))
            at_ms += int((ms(end) - ms(begin)) / speed)
        return Timeline(speed, tuple(windows))


@dataclass(slots=True)
class Day:
    script: Script
    parts: Parts
    tell: Callable[[str], None] = print
    timeline: Timeline = field(init=False)
    disturbed: Side = field(init=False)
    undisturbed: Side = field(init=False)

    def __post_init__(self) -> None:
        market = (FOLDER / "market.toml").read_text()
        options: dict[str, object] = {"--seed": SEED, "--hours": "XNYS", "--requests-per-minute": 6_000}
        options["--ticks-per-second"] = self.script.ticks_per_second
        made = {}
        for name, text in (("undisturbed", market), ("disturbed", market + self.script.faults)):
            scenario = self.parts.home.path / f"{name}.toml"
            scenario.write_text(text)
            read_scenario(scenario)
            made[name] = Side(name, self.parts, SYMBOLS, STOCKHOLM, options | {"--scenario": scenario}, SETTINGS)
        self.undisturbed, self.disturbed = made["undisturbed"], made["disturbed"]

    @property
    def sides(self) -> tuple[Side, Side]:
        return self.disturbed, self.undisturbed

    def run(self) -> None:
        try:
            together(*(side.start_stream for side in self.sides))
            # The exchange stands still at the beginning meanwhile.
            before = self.script.timeline(time.time_ns() // 1_000_000 + LONG_MS, self.script.speed).written()
            together(*(lambda side=side: side.fetch_history(before, HISTORY) for side in self.sides))
            self.begin()
            for act in sorted(self.script.acts, key=lambda act: ms(act.at)):
                self.wait_for(act.at)
                self.tell(f"{act.at} {act.name}")
                self.carry_out(act)
            self.wait_for(self.script.windows[-1][0])
            for side in self.sides:
                side.scheduler.kill()
            together(*(lambda side=side: self.make_good(side) for side in self.sides))
        finally:
            together(*(side.stop for side in self.sides))

    def begin(self) -> None:
        """Starts the exchanges and the ingesters so that they are up when the day begins."""
        for attempt in range(MOST_STARTS):
            command_s = small_command_s()
            speed = max(min(SLOWEST, self.script.speed), self.script.speed * min(1.0, SMALL_COMMAND_S / command_s))
            start_s = 2**attempt * max(LEAST_START_S, STARTS * command_s)
            self.timeline = self.script.timeline(int((time.time() + start_s) * 1000), speed)
            self.tell(f"a small command takes {command_s:.1f} s: {speed:.0f} times the speed, in {start_s:.0f} s")
            together(*(lambda side=side: side.start(self.timeline.written()) for side in self.sides))
            while not all(side.is_listening for side in self.sides) and not self.has_begun():
                time.sleep(0.1)
            if not self.has_begun():
                return
            self.tell("the day began before every process was up: once more")
            together(*(side.stop_day for side in self.sides))
        raise AssertionError("the machine is too slow: its processes were never up in time")

    def has_begun(self) -> bool:
        return self.timeline.at(time.time_ns() // 1_000_000) > ms(self.script.windows[0][0])

    def wait_for(self, at: str) -> None:
        while self.timeline.at(time.time_ns() // 1_000_000) < ms(at):
            time.sleep(0.02)

    def carry_out(self, act: Act) -> None:
        for side in (self.disturbed,) if act.only_disturbed else self.sides:
            match act.name:
                case "kill the ingester":
                    side.ingester.kill()
                case "start the ingester":
                    side.ingester.start()
                case "kill the scheduler":
                    side.scheduler.kill()
                case "start the scheduler":
                    side.scheduler.start()
                case command:
                    # As a scheduler does: the next act does not wait for it.
                    threading.Thread(target=side.command, args=command.split(), daemon=True).start()

    def make_good(self, side: Side) -> None:
        """The evening: what Airflow's tasks run, until nothing is open any more."""

        def is_settled() -> bool:
            side.command("poll")
            side.command("ledger")
            rows = side.ask("SELECT bool_and(is_settled) FROM v1.session_ledger")
            holes = side.ask("SELECT count(*) FROM v1.gaps WHERE state = 'open'")
            return rows == [(True,)] and holes == [(0,)]

        until(is_settled, f"every session of the {side.name} run is settled", FINAL_LIMIT_S)

    def story(self) -> str:
        """What the processes said of trouble, for whoever looks at a failure."""
        told = []
        for side in self.sides:
            told += [f"{side.name}: {summary}" for summary in side.summaries]
            for process in (side.ingester, side.stream, side.exchange):
                wrong = [line for line in side.log(process) if line.get("level") in ("warning", "error")]
                told += [f"{side.name}, {process.name}: {line}" for line in wrong[-LAST_LINES:]]
        return "\n".join(told)

    def differences(self) -> list[Table]:
        return [
            difference(name, dict(self.disturbed.ask(query)), dict(self.undisturbed.ask(query)))
            for name, query in COMPARED.items()
        ]


def small_command_s() -> float:
    """How long this machine takes for next to nothing, now."""
    began_s = time.monotonic()
    subprocess.run([sys.executable, "-m", "ingestion", "--help"], check=True, cwd=REPO, stdout=subprocess.DEVNULL)
    return time.monotonic() - began_s


def unexplained(side: Side, sessions: Iterable[tuple[int, int]], symbols: Iterable[str]) -> list[tuple[str, int, str]]:
    """(symbol, minute, what is wrong) of every minute between open and close that has neither a bar nor one reason, or both."""
    bars = {
        (symbol, minute)
        for symbol, minute in side.ask(
            "SELECT symbol, (extract(epoch FROM ts) * 1000)::bigint FROM v1.bars WHERE timeframe = '1m' AND session = 'regular'"
        )
    }
    reasons: dict[tuple[str, int], int] = {}
    rows = side.ask(
        "SELECT symbol, (extract(epoch FROM starts_at) * 1000)::bigint, (extract(epoch FROM ends_at) * 1000)::bigint"
        " FROM v1.gaps WHERE session_date IS NOT NULL AND state = 'accepted'"
    )
    for symbol, start_ms, end_ms in rows:
        for minute in range(start_ms, end_ms, MINUTE_MS):
            reasons[symbol, minute] = reasons.get((symbol, minute), 0) + 1
    wrong = []
    for symbol in symbols:
        for open_ms, close_ms in sessions:
            for minute in range(open_ms, close_ms, MINUTE_MS):
                said = reasons.get((symbol, minute), 0)
                if (symbol, minute) in bars and said:
                    wrong.append((symbol, minute, "a bar and a reason"))
                elif (symbol, minute) not in bars and said != 1:
                    wrong.append((symbol, minute, f"no bar, {said} reasons"))
    return wrong
