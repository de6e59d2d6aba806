"""How long the broker's answers about the log are waited for."""

import socket
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from concurrent.futures import Future
from typing import Any

import pytest
from confluent_kafka import KafkaError, KafkaException

from spark_jobs import topics
from stack.home import REPO
from tests.unit.spark_jobs.fenced_broker import fenced_broker

pytestmark = pytest.mark.unit


@pytest.fixture
def deaf() -> Iterator[str]:
    """A broker that takes connections and says nothing."""
    with socket.create_server(("127.0.0.1", 0)) as server:
        yield f"127.0.0.1:{server.getsockname()[1]}"


def test_a_broker_that_says_nothing_is_away(deaf: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(topics, "TIMEOUT_S", 0.5)
    with pytest.raises(KafkaException) as raised:
        topics.read_log({"bootstrap.servers": deaf, "log_level": "0"}, "test.")
    assert raised.value.args[0].code() in (KafkaError._TRANSPORT, KafkaError._TIMED_OUT)


@pytest.mark.slow
def test_a_broker_that_is_fenced_is_away_and_does_not_end_the_process() -> None:
    """In a process of its own: librdkafka's assertions end the one that they fail in."""
    code = """
import sys
from confluent_kafka import KafkaException
from spark_jobs import topics
topics.TIMEOUT_S = 5.0
try:
    topics.read_log({"bootstrap.servers": sys.argv[1], "log_level": "0"}, "test.")
except KafkaException as error:
    print(error.args[0].name())
"""
    with fenced_broker() as address:
        command = [sys.executable, "-c", code, address]
        ended = subprocess.run(command, cwd=REPO, capture_output=True, text=True, timeout=60, check=False)
    assert (ended.returncode, ended.stdout.strip()) == (0, "_PARTIAL"), ended.stderr


def test_what_failed_is_told_when_no_other_request_is_under_way() -> None:
    failed: Future[Any] = Future()
    failed.set_exception(KafkaException(KafkaError(KafkaError._TIMED_OUT)))
    late: Future[Any] = Future()
    answering = threading.Timer(0.3, late.set_result, ("an answer",))
    answering.start()
    began_s = time.monotonic()
    with pytest.raises(KafkaException):
        topics.answers({"failed": failed, "late": late})
    assert late.done()
    assert time.monotonic() - began_s >= 0.25
    answering.join()


def test_answers_stand_under_what_was_asked() -> None:
    requests: dict[int, Future[str]] = {}
    for number in range(3):
        requests[number] = Future()
        requests[number].set_result(f"answer {number}")
    assert topics.answers(requests) == {0: "answer 0", 1: "answer 1", 2: "answer 2"}
