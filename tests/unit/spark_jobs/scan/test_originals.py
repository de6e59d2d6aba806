"""What a letter holds that was refused after its record was decoded."""

import json
from typing import Any

import pytest

from spark_jobs.scan.one_pass import HISTORY
from spark_jobs.scan.originals import NEAR, restore, runs
from tests.unit.market.worlds import MONDAY
from tests.unit.spark_jobs.test_batch import HOUR_MS, NEW_YORK_OPEN, bar_of, read

pytestmark = pytest.mark.unit


def letters() -> tuple[list[dict[str, Any]], list[bytes]]:
    """Refused bars, and how their producer wrote them: other spaces, another order, a field that we do not know."""
    wrong = [bar_of("5m", NEW_YORK_OPEN - k * HOUR_MS, MONDAY, "ext") for k in (1, 2)]
    written = []
    for _, bar in wrong:
        body = dict(reversed(json.loads(bar.encode()).items()))
        written.append(json.dumps(body | {"exchange": "NYQ"}).encode())
    return read(wrong, HISTORY).rejects, written


def test_the_letter_of_a_bar_that_the_calendar_refuses_has_the_bytes_that_came() -> None:
    rejects, written = letters()
    asked = []

    def fetch(place: tuple[int, int], offsets: list[int]) -> dict[int, bytes]:
        asked.append((place, offsets))
        return dict(enumerate(written))

    restore(rejects, fetch)
    assert asked == [((HISTORY, 0), [0, 1])], "one question a partition"
    assert [letter["payload"] for letter in rejects] == written
    assert len({letter["content_hash"] for letter in rejects}) == 2


@pytest.mark.parametrize("log", [{}, {0: b"another log", 1: bar_of("5m", NEW_YORK_OPEN, MONDAY)[1].encode()}])
def test_where_the_log_has_another_record_or_none_the_letter_says_that_it_was_written_anew(
    log: dict[int, bytes],
) -> None:
    rejects, _ = letters()
    before = [letter["payload"] for letter in rejects]
    restore(rejects, lambda place, offsets: log)
    assert [letter["payload"] for letter in rejects] == before
    assert all("written anew" in letter["detail"] for letter in rejects)


def test_no_question_is_asked_where_the_scan_had_the_bytes() -> None:
    def fetch(place: tuple[int, int], offsets: list[int]) -> dict[int, bytes]:
        raise AssertionError

    restore([{"payload": b"as it came", "detail": ""}], fetch)


def test_offsets_that_lie_near_are_read_in_one_go() -> None:
    assert list(runs([5, 6, 6 + NEAR, 8 + 2 * NEAR, 9 + 2 * NEAR])) == [[5, 6, 6 + NEAR], [8 + 2 * NEAR, 9 + 2 * NEAR]]
