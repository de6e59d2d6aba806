"""docker/entrypoint.sh: what a service finds in its environment."""

import shlex
import subprocess
from pathlib import Path

import pytest

from stack.home import REPO

pytestmark = pytest.mark.unit


def environment(home: Path, **given: str) -> dict[str, str]:
    """What `env` says behind the script, in a container that is given nothing else."""
    said = subprocess.run(
        [str(REPO / "docker" / "entrypoint.sh"), "env"],
        env={"PATH": "/usr/bin:/bin", "CANDLESTREAM_HOME": str(home), **given},
        capture_output=True,
        check=True,
        text=True,
    ).stdout
    return dict(line.split("=", 1) for line in said.splitlines())


def test_a_service_is_told_its_database_by_the_decision_and_its_role(tmp_path: Path) -> None:
    (tmp_path / "platform.env").write_text(
        "CANDLESTREAM_SOURCE=simulator\nCANDLESTREAM_DATABASE=candlestream_simulator\n"
    )
    told = environment(tmp_path, CANDLESTREAM_ROLE="candlestream_writer")
    assert told["CANDLESTREAM_SOURCE"] == "simulator"
    assert told["CANDLESTREAM_DATABASE_URL"] == "postgresql://candlestream_writer@postgres:5432/candlestream_simulator"
    assert told["CANDLESTREAM_MIGRATOR_URL"].endswith("/candlestream_simulator")


def test_a_service_without_a_role_may_only_read(tmp_path: Path) -> None:
    (tmp_path / "platform.env").write_text("CANDLESTREAM_DATABASE=candlestream\n")
    assert (
        environment(tmp_path)["CANDLESTREAM_DATABASE_URL"]
        == "postgresql://candlestream_reader@postgres:5432/candlestream"
    )


def test_values_are_taken_as_they_are(tmp_path: Path) -> None:
    value = "/a folder/$HOME;'x'"
    (tmp_path / "platform.env").write_text(
        f"CANDLESTREAM_DATABASE=candlestream\nCANDLESTREAM_FEED_CA={shlex.quote(value)}\n"
    )
    assert environment(tmp_path)["CANDLESTREAM_FEED_CA"] == value


def test_nothing_starts_before_the_decision(tmp_path: Path) -> None:
    with pytest.raises(subprocess.CalledProcessError):
        environment(tmp_path)
