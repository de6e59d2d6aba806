"""What the page says when something is wrong or awaited."""

import re
from dataclasses import replace
from datetime import UTC, datetime

import pytest

from dashboard.deployment import Deployment
from dashboard.notices import Level, notices
from dashboard.queries import Service
from tests.unit.dashboard.conftest import APPLE, CLOSE, make_snapshot

pytestmark = pytest.mark.unit
INGESTION, SPARK = Service("ingestion", "ok", "connected", 1.0), Service("spark", "ok", "running", 1.0)


def sentences(**values):
    return [(notice.level, notice.sentence) for notice in notices(make_snapshot(**values))]


def test_nothing_is_said_when_all_is_well():
    assert sentences() == []


def test_indicators_that_are_computed_again_are_said_to_be():
    told = "Older candles were corrected: the indicators of AAPL 1m since Mon 9 Nov are being computed again."
    assert sentences(recomputing_from=datetime(2026, 11, 9, tzinfo=UTC)) == [(Level.INFO, told)]


@pytest.mark.parametrize(
    ("services", "level", "sentence"),
    [
        (
            [INGESTION, replace(SPARK, age_s=42.0)],
            Level.ERROR,
            "The stream is down: not heard of for 42 s. It last said: running.",
        ),
        ([INGESTION], Level.INFO, "The stream has not started yet: no candle is being computed."),
        (
            [INGESTION, replace(SPARK, state="retrying", detail="waiting for the broker")],
            Level.WARNING,
            "The stream is retrying: waiting for the broker.",
        ),
        (
            [replace(INGESTION, state="throttled", detail="throttled by Yahoo, next try in 40 s"), SPARK],
            Level.WARNING,
            "Ingestion is throttled: throttled by Yahoo, next try in 40 s.",
        ),
        (
            [replace(INGESTION, age_s=90.0), SPARK],
            Level.ERROR,
            "Ingestion is down: not heard of for 1 min 30 s, no prices are coming in.",
        ),
        (
            [INGESTION, SPARK, Service("poll", "throttled", "throttled by Yahoo, next try in 64 s", 20.0)],
            Level.WARNING,
            "The minute poll is throttled: throttled by Yahoo, next try in 64 s (said 20 s ago).",
        ),
        ([SPARK], Level.INFO, "Ingestion has not started yet: no prices are coming in."),
    ],
)
def test_each_trouble_has_its_sentence(services, level, sentence):
    assert sentences(services=services) == [(level, sentence)]


@pytest.mark.parametrize(
    ("deployment", "services", "commands"),
    [
        (Deployment.NATIVE, [INGESTION, replace(SPARK, age_s=32.0)],
         ["./candlestream start spark", "./candlestream logs spark"]),
        (Deployment.COMPOSE, [INGESTION, replace(SPARK, age_s=32.0)],
         ["docker compose up -d spark", "docker compose logs spark"]),
        (Deployment.NATIVE, [replace(INGESTION, state="stopped"), SPARK],
         ["./candlestream start ingestion", "./candlestream logs ingestion"]),
    ],
)  # fmt: skip
def test_what_has_stopped_is_said_with_the_commands_that_help(deployment, services, commands):
    [notice] = notices(make_snapshot(services=services), deployment)
    assert re.findall("`(.+?)`", notice.remedy) == commands


def test_a_process_is_down_after_fifteen_silent_seconds_and_not_before():
    assert sentences(services=[INGESTION, replace(SPARK, age_s=15.0)]) == []
    assert len(sentences(services=[INGESTION, replace(SPARK, age_s=15.1)])) == 1


def test_a_stream_that_commits_nothing_is_named_while_the_market_trades():
    assert sentences(stream_age_s=61.0) == [
        (Level.WARNING, "The stream runs, and has committed nothing new for 1 min 1 s.")
    ]
    assert sentences(stream_age_s=61.0, now=CLOSE) == []


@pytest.mark.parametrize(
    ("values", "sentence"),
    [
        ({"instruments": []}, "No symbol is tracked yet: ingestion adds the first ones when it starts."),
        ({"timeframes": [], "rows": []}, "Waiting for the first candle of AAPL."),
        ({"timeframes": ["1d"], "rows": []}, "AAPL has no 1m candles yet."),
        ({"symbol": "FOO"}, "FOO is not tracked. Tracked are AAPL."),
        (
            {"instruments": [replace(APPLE, state="unknown", state_detail="Yahoo knows no symbol AAPL")]},
            "AAPL cannot be shown: Yahoo knows no symbol AAPL.",
        ),
    ],
)
def test_what_is_awaited_or_unknown_is_said(values, sentence):
    assert [text for _, text in sentences(**values)] == [sentence]
