"""What a supervisor that was killed has left running: found by its session, and nobody else's."""

import os
import subprocess
import sys
from pathlib import Path

import psutil
import pytest

from stack.home import Home
from stack.supervision import leftovers
from tests.unit.stack.supervision.test_supervision import SLEEP, WITH_CHILD, wait_for

pytestmark = pytest.mark.unit


def test_what_hid_its_mark_is_found_by_its_session(tmp_path: Path) -> None:
    home = Home(tmp_path)
    home.run.mkdir()
    process = psutil.Popen([sys.executable, "-S", "-c", SLEEP], start_new_session=True, env={})
    try:
        leftovers.record(home, {"one": (process.pid, process.create_time())})
        assert [found.pid for found in leftovers.in_sessions(home)] == [process.pid]
        leftovers.record(home, {"one": (process.pid, process.create_time() - 1000)})
        assert leftovers.in_sessions(home) == []  # the pid was given to somebody else since
    finally:
        process.kill()
        process.wait()


def test_a_session_number_that_was_given_away_means_nobody_of_ours(tmp_path: Path) -> None:
    home = Home(tmp_path)
    home.run.mkdir()
    stranger = psutil.Popen(
        [sys.executable, "-S", "-c", WITH_CHILD.replace("start_new_session=True", "")], start_new_session=True, cwd="/"
    )
    try:
        wait_for(lambda: len(stranger.children()) == 1)
        leftovers.record(home, {"one": (stranger.pid, stranger.create_time() - 1000)})
        assert leftovers.in_sessions(home) == []  # neither the new leader nor its child
        child = stranger.children()[0]
    finally:
        stranger.kill()
        stranger.wait()
    assert os.getsid(child.pid) == stranger.pid
    assert leftovers.in_sessions(home) == []  # its orphan does not work in our folders
    child.kill()


@pytest.mark.slow
def test_what_outlives_its_supervisor_is_told_by_name_while_it_lives(tmp_path: Path) -> None:
    home = Home(tmp_path)
    home.run.mkdir()
    assert leftovers.unwatched(home) == {}
    me = os.getpid()
    with subprocess.Popen([sys.executable, "-S", "-c", "pass"]) as gone:
        gone.wait()
    leftovers.record(home, {"one": (me, leftovers.born_s(me)), "two": (gone.pid, 1.0), "three": (me, 1.0)})
    assert leftovers.unwatched(home) == {"one": me}


def test_an_orphan_in_a_session_of_ours_that_works_in_our_folder_is_a_leftover(tmp_path: Path) -> None:
    home = Home(tmp_path)
    home.run.mkdir()
    leader = psutil.Popen(
        [sys.executable, "-S", "-c", WITH_CHILD.replace("start_new_session=True", "")],
        start_new_session=True,
        cwd=tmp_path,
    )
    wait_for(lambda: len(leader.children()) == 1)
    child = leader.children()[0]
    leftovers.record(home, {"one": (leader.pid, leader.create_time())})
    leader.kill()
    leader.wait()
    assert [found.pid for found in leftovers.in_sessions(home)] == [child.pid]
    assert leftovers.clear(home) == 1
    assert not (home.run / leftovers.RECORD).exists()


def test_what_is_dead_but_not_yet_reaped_is_no_leftover(tmp_path: Path) -> None:
    home = Home(tmp_path)
    home.run.mkdir()
    process = psutil.Popen([sys.executable, "-S", "-c", ""], start_new_session=True)
    created = process.create_time()
    os.waitid(os.P_PID, process.pid, os.WEXITED | os.WNOWAIT)
    leftovers.record(home, {"one": (process.pid, created)})
    assert leftovers.in_sessions(home) == []
    process.wait()
