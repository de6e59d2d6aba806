import itertools
import os
from pathlib import Path

import pytest

from stack.supervision.logfiles import DAY_S, follow, last_words, remove_old, rotate, tail

pytestmark = pytest.mark.unit


def test_a_full_log_is_emptied_and_one_copy_is_kept(tmp_path: Path) -> None:
    log = tmp_path / "kafka.log"
    with log.open("ab") as writer:
        writer.write(b"old\n" * 100)
        writer.flush()
        rotate(tmp_path, max_bytes=100)
        writer.write(b"new\n")
    assert log.read_bytes() == b"new\n"
    assert (tmp_path / "kafka.log.1").read_bytes() == b"old\n" * 100


def test_a_small_log_is_left_alone(tmp_path: Path) -> None:
    (tmp_path / "a.log").write_text("x")
    rotate(tmp_path, max_bytes=100)
    assert [path.name for path in tmp_path.iterdir()] == ["a.log"]


def test_tail_gives_the_last_lines(tmp_path: Path) -> None:
    log = tmp_path / "a.log"
    log.write_text("".join(f"{n}\n" for n in range(10_000)))
    assert tail(log, 3) == ["9997", "9998", "9999"]
    assert tail(tmp_path / "none.log", 3) == []


@pytest.mark.parametrize(
    ("lines", "words"),
    [
        ("one\ntwo\n\n", "two"),
        ('{"event": "no database", "level": "error", "error": "refused"}\n', "no database error=refused"),
        ("ValueError: bad\n    ^\n}\n", "ValueError: bad"),
        ("", ""),
    ],
)
def test_last_words_are_the_last_line_that_says_something(tmp_path: Path, lines: str, words: str) -> None:
    (tmp_path / "a.log").write_text(lines)
    assert last_words(tmp_path / "a.log") == words


def test_old_files_and_empty_folders_are_removed(tmp_path: Path) -> None:
    now_s = 1_000_000_000.0
    old, fresh, empty = tmp_path / "a" / "old.log", tmp_path / "b" / "fresh.log", tmp_path / "empty"
    for path in (old, fresh):
        path.parent.mkdir()
        path.write_text("x")
    empty.mkdir()
    os.utime(old, (now_s - 4 * DAY_S,) * 2)
    os.utime(fresh, (now_s - 2 * DAY_S,) * 2)
    os.utime(empty, (now_s - 2 * DAY_S,) * 2)
    remove_old(tmp_path, now_s, days=3)
    assert not old.exists()
    assert fresh.exists()
    assert not empty.exists()


def test_follow_gives_whole_lines_and_survives_rotation(tmp_path: Path) -> None:
    log = tmp_path / "a.log"
    log.write_text("before\n")
    lines = follow([log], poll_s=0.01)

    def later() -> None:
        with log.open("ab") as writer:
            writer.write(b"one\nha")
            writer.flush()
            writer.write(b"lf\n")

    import threading

    timer = threading.Timer(0.05, later)
    timer.start()
    assert [line for _, line in itertools.islice(lines, 2)] == ["one", "half"]
    log.write_text("anew\n")
    assert next(iter(lines))[1] == "anew"


def test_the_last_words_are_the_error_and_not_where_to_read_about_errors(tmp_path: Path) -> None:
    log = tmp_path / "airflow-scheduler.log"
    log.write_text(
        "OperationalError: connection refused\n\n(Background on this error at: https://sqlalche.me/e/21/e3q8)\n"
    )
    assert last_words(log) == "OperationalError: connection refused"
