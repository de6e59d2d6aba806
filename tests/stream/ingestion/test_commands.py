"""Ingestion with real parts: the simulated exchange, Kafka and PostgreSQL, each command as a process of its own."""

import json
import signal
import subprocess
import sys
from datetime import UTC, datetime

import pytest

from market.contracts import Action, Bar, Clock, Tick
from tests.embedded import REPO
from tests.stream.ingestion.rig import Ingestion
from tests.stream.rig import until

pytestmark = pytest.mark.stream


def test_live_ticks_and_the_clock_reach_kafka_and_a_stop_is_clean(ingestion: Ingestion) -> None:
    with ingestion.live() as process:
        until(lambda: {tick.symbol for tick in ingestion.events(Tick)} == {"AAPL", "MSFT"}, "ticks of both")
        until(lambda: len(ingestion.events(Clock)) >= 6, "a few clock records")
        state, detail = ingestion.sql("SELECT state, detail FROM v1.service_status WHERE name = 'ingestion'")[0]
        assert state == "ok", detail
        process.send_signal(signal.SIGTERM)
        assert process.wait(20) == 0
    assert ingestion.sql("SELECT state FROM v1.service_status WHERE name = 'ingestion'") == [("stopped",)]
    by_partition = ingestion.records("market.events.v1")
    clocks = {partition: [r for r in records if isinstance(r, Clock)] for partition, records in by_partition.items()}
    # Every partition has the same clock, and it runs forward.
    assert len(clocks) == 2
    assert clocks[0] == clocks[1]
    assert [clock.event_ms for clock in clocks[0]] == sorted({clock.event_ms for clock in clocks[0]})
    for records in by_partition.values():
        for symbol in ("AAPL", "MSFT"):
            ticks = [record for record in records if isinstance(record, Tick) and record.symbol == symbol]
            assert [tick.day_volume for tick in ticks] == sorted(tick.day_volume or 0 for tick in ticks)


def test_symbols_come_and_go_in_the_table_and_one_that_nobody_knows_is_said(ingestion: Ingestion) -> None:
    with ingestion.live():
        until(lambda: ingestion.events(Tick), "the first tick")
        ingestion.sql(
            "INSERT INTO core.instruments (symbol, source) VALUES ('NVDA', 'simulator'), ('NOPE.XX', 'simulator')"
        )
        until(lambda: any(tick.symbol == "NVDA" for tick in ingestion.events(Tick)), "ticks of the new symbol")
        # It has its minutes of today at once, and not only from now on.
        assert sum(bar.symbol == "NVDA" for bar in ingestion.events(Bar)) >= 1
        unknown = "SELECT state FROM v1.instruments WHERE symbol = 'NOPE.XX'"
        until(lambda: ingestion.sql(unknown) == [("unknown",)], "the unknown symbol is marked")
        [(note,)] = ingestion.sql("SELECT note FROM core.quality WHERE symbol = 'NOPE.XX'")
        assert note.startswith("unknown symbol: ")


def test_a_hole_of_an_earlier_run_is_filled_at_the_next_start(ingestion: Ingestion) -> None:
    ingestion.sql(
        "INSERT INTO core.gaps (starts_at, ends_at, reason) VALUES"
        " (now() - interval '10 minutes', now() - interval '7 minutes 30 seconds', 'feed outage')"
    )
    repaired = "SELECT state, detail FROM v1.gaps WHERE state <> 'open'"
    with ingestion.live():
        [(state, detail)] = until(lambda: ingestion.sql(repaired), "the hole is settled")
    assert state == "repaired", detail


def test_a_poll_sends_todays_minutes_and_the_newest_days(ingestion: Ingestion) -> None:
    exit_code, summary, log = ingestion.command("poll")
    assert exit_code == 0, log
    assert (summary["symbols"], summary["requests"], summary["dead_letters"]) == (2, 4, 0)
    bars = ingestion.events(Bar)
    assert len(bars) == summary["bars"]
    assert {(bar.symbol, bar.timeframe) for bar in bars} == {(s, f) for s in ("AAPL", "MSFT") for f in ("1m", "1d")}
    # The session is open around the clock: today's last rows are partial, all else is complete.
    partial = [bar for bar in bars if not bar.is_complete]
    assert {(bar.symbol, bar.timeframe) for bar in partial} == {(s, f) for s in ("AAPL", "MSFT") for f in ("1m", "1d")}
    assert len(partial) <= 6
    assert ingestion.sql("SELECT state FROM v1.service_status WHERE name = 'poll'") == [("ok",)]


def test_a_poller_polls_at_once_and_tells_what_its_polls_did_together(ingestion: Ingestion) -> None:
    exit_code, total, log = ingestion.command("poll", "--until", datetime.now(UTC).isoformat())
    assert exit_code == 0, log
    assert (total["polls"], total["refused"], total["symbols"], total["requests"]) == (1, 0, 2, 4)
    assert total["bars"] == len(ingestion.events(Bar))
    assert [json.loads(line)["requests"] for line in log.splitlines() if '"polled"' in line] == [4]


def test_a_backfill_writes_each_series_oldest_first_with_splits_undone(ingestion: Ingestion) -> None:
    exit_code, summary, log = ingestion.command("backfill", "--symbols", "AAPL", "--timeframes", "1d,15m")
    assert exit_code == 0, log
    [records] = [records for records in ingestion.records("market.history.v1").values() if records]
    bars = [record for record in records if isinstance(record, Bar)]
    assert len(bars) == summary["bars"]
    for timeframe in ("1d", "15m"):
        starts = [bar.event_ms for bar in bars if bar.timeframe == timeframe]
        assert starts == sorted(set(starts))
    assert [bar.timeframe for bar in bars] == sorted((bar.timeframe for bar in bars), reverse=True)
    splits = [record for record in records if isinstance(record, Action) and record.action == "split"]
    # As printed: the day before a split closed at about the ratio times what the day after opened at.
    last = max(splits, key=lambda split: split.event_ms)
    days = [bar for bar in bars if bar.timeframe == "1d"]
    after = next(number for number, bar in enumerate(days) if bar.event_ms >= last.event_ms)
    assert days[after - 1].close / days[after].open == pytest.approx(last.value, rel=0.25)


def test_an_unknown_symbol_is_no_failure(ingestion: Ingestion) -> None:
    exit_code, summary, log = ingestion.command("poll", "--symbols", "NOPE.XX,AAPL")
    assert exit_code == 0, log
    assert (summary["symbols"], summary["unknown"]) == (1, ["NOPE.XX"])


@pytest.mark.parametrize(
    ("name", "value", "exit_code", "words"),
    [
        ("CANDLESTREAM_DATABASE_URL", "postgresql://nobody@127.0.0.1:9/none", 20, "PostgreSQL cannot be used"),
        ("CANDLESTREAM_FEED_PROXY", "http://127.0.0.1:9", 12, "Could not connect"),
    ],
)
def test_a_part_that_is_away_is_one_sentence_and_an_exit_code(
    ingestion: Ingestion, name: str, value: str, exit_code: int, words: str
) -> None:
    ended, summary, log = ingestion.command("poll", "--deadline", "5", **{name: value})
    assert ended == exit_code, log
    assert "Traceback" not in log
    said = summary.get("error") or json.loads(log.strip().rpartition("\n")[2])["detail"]
    assert words in said


def test_a_backfill_that_was_killed_is_told_as_interrupted_until_the_next_one_speaks(ingestion: Ingestion) -> None:
    told = "SELECT state, detail FROM v1.service_status WHERE name = 'backfill'"
    command = [sys.executable, "-m", "ingestion", "backfill", "--symbols", "AAPL,MSFT"]
    with (ingestion.home / "backfill.log").open("ab") as log:
        process = subprocess.Popen(command, cwd=REPO, env=ingestion.environment, stdout=log, stderr=log)
    try:
        until(lambda: ingestion.sql(f"{told} AND state = 'working' AND detail LIKE 'MSFT 1d%%'"), "it is at work")
    finally:
        process.kill()
        process.wait()
    interrupted = until(lambda: ingestion.sql(f"{told} AND state = 'interrupted'"), "its end is seen")
    assert interrupted[0][1].startswith("ended before it was done; its last word: ")
    exit_code, _, log_lines = ingestion.command("backfill", "--symbols", "AAPL", "--timeframes", "1d")
    assert exit_code == 0, log_lines
    [(state, detail)] = ingestion.sql(told)
    assert (state, detail.partition(":")[0]) == ("ok", "done")
