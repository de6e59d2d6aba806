"""The command as a person types it, without anything running."""

import errno
import os
from collections.abc import Callable
from pathlib import Path

import pytest

from stack import cli
from stack.down import down, reset
from stack.errors import Exit
from stack.home import Home
from stack.supervision import control

pytestmark = pytest.mark.unit


Said = tuple[int, str, str]


@pytest.fixture
def candlestream(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> Callable[..., Said]:
    """Runs the command as typed; returns exit code, stdout and stderr."""
    monkeypatch.delenv("CANDLESTREAM_HOME", raising=False)

    def run(*words: str) -> Said:
        monkeypatch.setattr("sys.argv", ["candlestream", *words])
        with pytest.raises(SystemExit) as ended:
            cli.main()
        out, err = capsys.readouterr()
        return int(ended.value.code or 0), out, err

    return run


@pytest.mark.parametrize(
    "words",
    [
        ["fly"],
        ["up", "--fast"],
        ["up", "--source", "bloomberg"],
        ["up", "--hours", "nine-to-five"],
        ["restart"],
        ["test", "nonsense"],
        [],
    ],
)
def test_what_is_no_verb_or_option_gets_usage_and_exit_2(candlestream: Callable[..., Said], words: list[str]) -> None:
    code, out, err = candlestream(*words)
    assert code == Exit.USAGE
    assert "Usage: candlestream" in out + err


@pytest.mark.parametrize(
    ("words", "code"),
    [
        (["status"], 3),
        (["env"], 3),
        (["restart", "spark"], 3),
        (["tail", "events"], 3),
        (["password", "airflow"], 2),
        (["down"], 0),
    ],
)
def test_verbs_on_an_empty_home_say_so_in_one_sentence(
    candlestream: Callable[..., Said], tmp_path: Path, words: list[str], code: int
) -> None:
    ended, out, err = candlestream(*words, "--home", str(tmp_path / "none"))
    assert ended == code
    assert len((out + err).strip().splitlines()) == 1
    assert not (tmp_path / "none").exists()


def test_env_prints_nothing_to_eval_where_nothing_was_started(
    candlestream: Callable[..., Said], tmp_path: Path
) -> None:
    _, out, _ = candlestream("env", "--home", str(tmp_path))
    assert out == ""


def test_doctor_ends_on_a_home_that_was_never_started(
    candlestream: Callable[..., Said], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("stack.source.unreachable", lambda: "no connection")
    _, out, err = candlestream("doctor", "--home", str(tmp_path / "new"))
    assert err == ""
    assert "yahoo" in out.splitlines()[-1]
    assert not (tmp_path / "new").exists()


def test_reset_keeps_jars_and_what_is_not_ours(tmp_path: Path) -> None:
    home = Home(tmp_path)
    home.prepare()
    home.state_file.write_text('{"source": "simulator"}')
    (home.jars / "a.jar").write_text("x")
    (tmp_path / "checkpoints" / "3").mkdir(parents=True)
    (tmp_path / "notes.txt").write_text("mine")
    reset(home, everything=False)
    assert sorted(path.name for path in tmp_path.iterdir()) == ["jars", "notes.txt"]


def test_reset_all_deletes_the_jars_that_an_earlier_reset_left(tmp_path: Path) -> None:
    home = Home(tmp_path / "home")
    home.prepare()
    (home.jars / "kafka").mkdir()
    (home.jars / "kafka" / "a.jar").write_text("x")
    reset(home, everything=False)
    (home.path / "data").mkdir()
    assert "cleared" in reset(home, everything=True)
    assert [path.name for path in home.path.iterdir()] == ["data"]


def test_reset_of_a_folder_that_is_no_home_touches_nothing(tmp_path: Path) -> None:
    (tmp_path / "data").mkdir()
    assert "nothing to delete" in reset(Home(tmp_path), everything=True)
    assert (tmp_path / "data").exists()


@pytest.mark.parametrize(
    ("options", "code"),
    [
        (["--source", "yahoo"], Exit.OTHER_SOURCE),
        (["--seed", "8"], Exit.OTHER_SOURCE),
        (["--hours", "XNYS"], Exit.OTHER_SOURCE),
        (["--postgres-bin", "/nowhere"], Exit.POSTGRES),
    ],
)
def test_what_up_refuses_is_neither_kept_nor_half_started(
    candlestream: Callable[..., Said], tmp_path: Path, options: list[str], code: Exit
) -> None:
    home = Home(tmp_path)
    home.prepare()
    home.state_file.write_text('{"source": "simulator", "seed": 7}')
    ended, _, err = candlestream("up", *options, "--home", str(tmp_path))
    assert ended == code
    assert len(err.strip().splitlines()) == 1
    assert home.state_file.read_text() == '{"source": "simulator", "seed": 7}'
    assert not control.is_running(home)


def test_a_full_disk_is_told_before_anything_is_made(
    candlestream: Callable[..., Said], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("stack.home.LEAST_FREE_BYTES", 1 << 60)
    ended, _, err = candlestream("up", "--source", "simulator", "--home", str(tmp_path / "home"))
    assert ended == Exit.DISK
    assert "--home" in err
    assert not (tmp_path / "home").exists()


@pytest.mark.skipif(not Path("/proc").exists(), reason="a file system of no size")
def test_a_home_on_no_disk_is_told_as_what_it_is(candlestream: Callable[..., Said]) -> None:
    ended, _, err = candlestream("up", "--source", "simulator", "--home", "/proc/candlestream")
    assert (ended, "is on no disk" in err) == (Exit.HOME, True)


@pytest.mark.parametrize(
    ("number", "code"), [(errno.ENOSPC, Exit.DISK), (errno.EACCES, Exit.HOME), (errno.EIO, Exit.FAILED)]
)
def test_what_the_system_refuses_on_the_way_is_one_sentence(
    candlestream: Callable[..., Said], monkeypatch: pytest.MonkeyPatch, tmp_path: Path, number: int, code: Exit
) -> None:
    def refuse(_home: Home) -> str:
        raise OSError(number, os.strerror(number), "/some/file")

    monkeypatch.setattr("stack.shell.exports", refuse)
    ended, out, err = candlestream("env", "--home", str(tmp_path))
    assert (ended, out) == (code, "")
    assert "/some/file" in err
    assert len(err.strip().splitlines()) == 1


def test_down_removes_what_a_killed_supervisor_left_in_the_folder(tmp_path: Path) -> None:
    home = Home(tmp_path)
    home.prepare()
    for name in ("supervisor.lock", control.SOCKET, control.PID_FILE):
        (home.run / name).touch()
    assert down(home) == "nothing was running"
    assert [path.name for path in home.run.iterdir()] == ["supervisor.lock"]
    assert down(home) == "nothing was running"
