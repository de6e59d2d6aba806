"""Every kind of fault × {poll, backfill, live}: no hang past its time-out, no spin, no empty success, a counter and a log line with
the reason, and whole data once it is over.

The tasks and the supervisor are ingestion's own, with short time-outs and a list for Kafka (`fault_client.py`); the exchange is a
process. What a cell must come to is one word:

    refused   the task stops and says why               whole    the task comes through it, with all data
    failed    this answer is named, the others go on    differs  the data are what the provider says now, and right afterwards
    empty     an answer without a row is said to be so  lost     the connection is made anew, the loss counted by its reason
    goes on   the connection stays, what came is counted
"""

import json
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field
from typing import Any

import pytest

from market.timeline import Timeline, Window
from simulator.faults.kinds import ADAPTER, described
from stack.home import Home
from stack.parts.postgres import PostgresServer
from tests.embedded import REPO, drop_database, fresh_database
from tests.stream.bad_day.day import ms
from tests.stream.faulty_exchange import FaultyExchange, running_exchange

pytestmark = [pytest.mark.stream, pytest.mark.long]

NOON = "2026-03-11T12:00:00-04:00"
# Of the wall clock; a task that meets a fault waits for a few short time-outs and no longer.
LIMIT_S = 20.0
# Of processor time: what a question costs that meets no fault, several times. A loop that spins takes as much as time passes.
CPU_S, CPU_SHARE = 3.0, 0.5

NOT_LISTENING = "it does not listen to the feed"
NO_SUCH_ANSWER = "the feed has no charts; what the live service asks for it asks as a poll does"
MARKET = "what the market does stays in the history that the tasks are asked for next"
UNCOUNTED = "the exchange counts no frames"


@dataclass(frozen=True)
class Row:
    """A fault and what each must come to; a sentence where the fault cannot meet it."""

    kind: str
    poll: str
    backfill: str
    live: str
    parameters: dict[str, Any] = field(default_factory=dict)

    def cells(self) -> list[tuple[str, str]]:
        return [("poll", self.poll), ("backfill", self.backfill), ("live", self.live)]


OUTCOMES = ("refused", "failed", "empty", "whole", "differs", "lost", "goes on")

MATRIX = (
    #   kind                poll       backfill   live
    Row("throttle",         "refused", "refused", "lost"),
    Row("throttle",         "refused", "whole",   "lost", {"retry_after_s": 1, "for": "500ms"}),
    # A date is not worth a parser: then the wait is our own.
    Row("throttle",         "refused", "refused", "lost", {"retry_after_s": 1, "as_date": True}),
    Row("request_budget",   "refused", "refused", UNCOUNTED, {"per_minute": 1}),
    Row("bad_crumb",        "whole",   "whole",   NO_SUCH_ANSWER),
    Row("bad_crumb",        "refused", "refused", NO_SUCH_ANSWER, {"renewable": False}),
    Row("server_error",     "refused", "refused", "lost"),
    Row("server_error",     "refused", "refused", "lost", {"body": "json"}),
    Row("server_error",     "refused", "refused", "lost", {"body": "empty"}),
    Row("html",             "failed",  "failed",  "lost"),
    Row("hang",             "refused", "refused", "lost"),
    Row("slow_drip",        "refused", "refused", NO_SUCH_ANSWER, {"bytes_per_s": 200}),
    Row("cut",              "refused", "refused", "lost"),
    Row("truncated",        "failed",  "failed",  NO_SUCH_ANSWER),
    Row("truncated",        "refused", "refused", NO_SUCH_ANSWER, {"framing": "broken"}),
    Row("null",             "failed",  "failed",  NO_SUCH_ANSWER, {"shape": "body"}),
    Row("null",             "failed",  "failed",  NO_SUCH_ANSWER, {"shape": "result"}),
    # yfinance stumbles over it, or leaves nothing of it.
    Row("null",             "failed",  "empty",   NO_SUCH_ANSWER, {"shape": "rows"}),
    Row("null",             "failed",  "empty",   NO_SUCH_ANSWER, {"shape": "empty"}),
    Row("short_arrays",     "failed",  "failed",  NO_SUCH_ANSWER),
    Row("short_arrays",     "failed",  "failed",  NO_SUCH_ANSWER, {"columns": ["volume"]}),
    # One that exists, and moves days; one that does not.
    Row("wrong_time_zone",  "failed",  "failed",  NO_SUCH_ANSWER),
    Row("wrong_time_zone",  "failed",  "failed",  NO_SUCH_ANSWER, {"zone": "Mars/Base"}),
    Row("missing_minutes",  "differs", "whole",   NO_SUCH_ANSWER,
        {"at": "2026-03-11T10:00:00-04:00", "for": "30m", "restored_after": "4h"}),
    Row("corrected_bars",   "differs", "whole",   NO_SUCH_ANSWER,
        {"at": "2026-03-11T10:00:00-04:00", "for": "30m", "after": "4h"}),
    Row("clock_skew",       "whole",   "whole",   "goes on", {"skew_s": 20}),
    Row("clock_skew",       "whole",   "whole",   "goes on", {"skew_s": 7200}),
    Row("duplicate_ticks",  NOT_LISTENING, NOT_LISTENING, "goes on"),
    Row("out_of_order_ticks", NOT_LISTENING, NOT_LISTENING, "goes on"),
    Row("volume_reset",     NOT_LISTENING, NOT_LISTENING, "goes on"),
    Row("bad_prices",       NOT_LISTENING, NOT_LISTENING, "goes on", {"share": 1.0}),
    Row("bad_prices",       NOT_LISTENING, NOT_LISTENING, "goes on", {"share": 1.0, "value": "nan"}),
    Row("bad_prices",       NOT_LISTENING, NOT_LISTENING, "goes on", {"share": 1.0, "value": "zero"}),
    # Off by a hundred; which the next one confirms, where all were: one in five.
    Row("bad_prices",       NOT_LISTENING, NOT_LISTENING, "goes on", {"share": 0.2, "value": "spike", "factor": 100}),
    Row("feed_silence",     NOT_LISTENING, NOT_LISTENING, "lost"),
    Row("feed_silence",     NOT_LISTENING, NOT_LISTENING, "lost", {"answers_pings": False}),
    Row("feed_garbage",     NOT_LISTENING, NOT_LISTENING, "goes on", {"share": 1.0}),
    Row("feed_garbage",     NOT_LISTENING, NOT_LISTENING, "goes on", {"share": 1.0, "replaces": True}),
    Row("feed_close",       NOT_LISTENING, NOT_LISTENING, "lost"),
    Row("feed_close",       NOT_LISTENING, NOT_LISTENING, "lost", {"code": 1011}),
    Row("feed_abort",       NOT_LISTENING, NOT_LISTENING, "lost"),
    # What the market itself does is no fault of an answer: it is told as it was. Its way into the tables: test_bad_day.py.
    Row("auction_print",    "whole",   "whole",   MARKET),
    Row("split",            "whole",   "whole",   MARKET),
    Row("dividend",         "whole",   "whole",   MARKET, {"amount": 0.3}),
    # These stay in the day's history once they are over: last.
    Row("halt",             "differs", "differs", MARKET, {"at": "2026-03-11T10:00:00-04:00", "for": "30m"}),
    Row("early_close",      "differs", "differs", MARKET, {"at": "2026-03-11T10:30:00-04:00"}),
)  # fmt: skip
HTTP = {"throttle", "server_error", "html", "hang", "cut"}
REASONS = {
    "feed_close": "closed",
    "feed_abort": "aborted",
    "feed_silence": ("silent", "dead"),
    **dict.fromkeys(HTTP, "unreachable"),
}
# What of the frames is counted as, while the fault is on.
COUNTED = {"feed_garbage": "malformed", "bad_prices": "rejected", "duplicate_ticks": "repeat"}
# The dead letter's reason; a spike's is `price_jump`.
LETTERS = {"feed_garbage": "not_json", "bad_prices": "bad_price"}
# What a fault leaves behind, and the next row must not meet: it is not compared.
LASTING = {"halt", "early_close"}

# What the market itself does, in other forms: tests/unit/ingestion/checks/test_young_splits.py has them.
ELSEWHERE = {("split", "lagging")}

CELLS = [
    pytest.param(row, who, outcome, id=f"{row.kind}-{who}-{number}")
    for number, row in enumerate(MATRIX)
    for who, outcome in row.cells()
    if outcome in OUTCOMES
]


def test_every_kind_of_fault_has_a_row():
    assert {row.kind for row in MATRIX} == {kind["kind"] for kind in described()}
    assert all(len(outcome.split()) > 2 for row in MATRIX for _, outcome in row.cells() if outcome not in OUTCOMES)


def test_every_form_that_a_fault_can_take_has_a_row():
    without = {}
    for schema in ADAPTER.json_schema(mode="serialization")["$defs"].values():
        kind = schema.get("properties", {}).get("kind", {}).get("const")
        for name, described_as in schema.get("properties", {}).items():
            forms = described_as.get("enum") or ([False, True] if described_as.get("type") == "boolean" else [])
            met = [row.parameters.get(name, described_as.get("default")) for row in MATRIX if row.kind == kind]
            if kind and (missing := [form for form in forms if form not in met]):
                without[kind, name] = missing
    assert without.keys() == ELSEWHERE, without


@dataclass
class Talk:
    """A client's process, and what it says."""

    process: subprocess.Popen[str]

    def ask(self, task: str) -> dict[str, Any]:
        assert self.process.stdin is not None
        self.process.stdin.write(json.dumps({"task": task}) + "\n")
        self.process.stdin.flush()
        return self.read()

    def read(self) -> dict[str, Any]:
        assert self.process.stdout is not None
        line = self.process.stdout.readline()
        assert line, "the client died"
        return json.loads(line)

    def until(self, what: str, holds: Any) -> dict[str, Any]:
        ends_s = time.monotonic() + LIMIT_S
        while True:
            said = self.read()
            if holds(said):
                return said
            assert time.monotonic() < ends_s, f"not within {LIMIT_S:.0f} s: {what}; {said}"


@pytest.fixture(scope="module")
def noon() -> str:
    return Timeline(1.0, (Window(int(time.time() * 1000), ms(NOON)),)).written()


@pytest.fixture(scope="module")
def exchange(noon: str) -> Iterator[FaultyExchange]:
    options = ("--ticks-per-second", "10", "--requests-per-minute", "6000", "--hours", "XNYS", "--timeline", noon)
    with running_exchange(*options) as exchange:
        yield exchange


@contextmanager
def talking(exchange: FaultyExchange, mode: str, **environment: str) -> Iterator[Talk]:
    command = [sys.executable, "-W", "ignore", "-m", "tests.stream.fault_client", mode]
    pipes: dict[str, Any] = {"stdin": subprocess.PIPE, "stdout": subprocess.PIPE, "stderr": subprocess.DEVNULL}
    with subprocess.Popen(command, cwd=REPO, env=exchange.environment() | environment, text=True, **pipes) as process:
        try:
            yield Talk(process)
        finally:
            process.kill()


@pytest.fixture(scope="module")
def tasks(
    exchange: FaultyExchange, noon: str, postgres_server: PostgresServer, embedded_home: Home
) -> Iterator[dict[str, Talk]]:
    """A process for each task, which has been answered once without a fault."""
    database = fresh_database(postgres_server, embedded_home.pgpass)
    environment = {"CANDLESTREAM_SIMULATOR_TIMELINE": noon, "CANDLESTREAM_DATABASE_URL": database.writer}
    with ExitStack() as stack:
        clients = {}
        for task in ("poll", "backfill"):
            clients[task] = stack.enter_context(talking(exchange, "tasks", **environment))
            first = clients[task].ask(task)
            assert (first["escaped"], first["error"], first["failed"]) == (None, "", []), first
            assert first["bars"] > 10
        yield clients
    drop_database(database)


@pytest.fixture(scope="module")
def feed(exchange: FaultyExchange, noon: str) -> Iterator[Talk]:
    with talking(exchange, "live", CANDLESTREAM_SIMULATOR_TIMELINE=noon) as client:
        yield client


@pytest.mark.parametrize(("row", "who", "outcome"), [cell for cell in CELLS if cell.values[1] == "live"])
def test_the_live_service_meets_a_fault(exchange: FaultyExchange, feed: Talk, row: Row, who: str, outcome: str) -> None:
    before = feed.until("quotes", quotes_since(feed.read()))
    parameters = dict(row.parameters)
    with ExitStack() as stack:
        if row.kind in HTTP:
            # The connection that there is has to end before another can be refused.
            parameters["endpoints"] = ["stream"]
            parameters.pop("for", None)
            stack.enter_context(exchange.wrong(row.kind, **parameters))
            exchange.admin("POST", "faults", {"kind": "feed_abort"})
        else:
            stack.enter_context(exchange.wrong(row.kind, **parameters))
        if outcome == "lost":
            reasons = REASONS[row.kind]
            reasons = (reasons,) if isinstance(reasons, str) else reasons
            met = feed.until(
                f"lost {reasons}",
                lambda said: any(said["reconnects"].get(r, 0) > before["reconnects"].get(r, 0) for r in reasons),
            )
        elif row.kind in COUNTED:
            name = COUNTED[row.kind]
            met = feed.until(name, lambda said: said["frames"].get(name, 0) > before["frames"].get(name, 0))
        else:
            met = feed.until("frames", lambda said: sum(said["frames"].values()) > sum(before["frames"].values()) + 5)
            assert met["reconnects"] == before["reconnects"]
    passed_s = met["at"] - before["at"]
    assert met["cpu_s"] - before["cpu_s"] < max(0.5, CPU_SHARE * passed_s), (before, met)
    if outcome == "lost":
        assert met["logged"], met
    if row.kind in LETTERS:
        letter = LETTERS[row.kind] if row.parameters.get("value") != "spike" else "price_jump"
        assert letter in met["letters"], met
    feed.until("quotes again", quotes_since(feed.read()))


@pytest.mark.parametrize(("row", "who", "outcome"), [cell for cell in CELLS if cell.values[1] != "live"])
def test_a_task_meets_a_fault(
    exchange: FaultyExchange, tasks: dict[str, Talk], row: Row, who: str, outcome: str
) -> None:
    with exchange.wrong(row.kind, **row.parameters):
        said = tasks[who].ask(who)
        if row.kind == "request_budget" and not said["error"]:
            said = tasks[who].ask(who)
    assert said["escaped"] is None, said
    assert said["seconds"] < LIMIT_S, said
    assert said["cpu_s"] < max(CPU_S, CPU_SHARE * said["seconds"]), said
    is_told = {
        "refused": bool(said["error"]) and said["exit_code"] != 0,
        "failed": bool(said["failed"]),
        "empty": bool(said["empty"] or said["failed"]),
        "whole": said["is_whole"],
        "differs": said["bars"] > 0 and not said["is_whole"],
    }
    assert is_told[outcome], said
    assert bool(said["error"]) == (outcome == "refused"), said
    if outcome in ("refused", "failed", "empty"):
        assert said["logged"], said
    if outcome in ("refused", "failed") and row.parameters.get("shape") != "empty":
        assert said["counted"] > 0, said
    after = tasks[who].ask(who)
    if after["error"]:
        # A machine that is busy makes a short time-out shorter; the next task is due anyway.
        after = tasks[who].ask(who)
    assert (after["error"], after["failed"], after["empty"]) == ("", [], []), after
    assert after["is_whole"] or row.kind in LASTING, after


def quotes_since(before: dict[str, Any]) -> Callable[[dict[str, Any]], bool]:
    return lambda said: said["event"] == "count" and said["ticks"] > before["ticks"]
