"""pyproject.toml names what is used, requirements.txt pins it: the two are in step."""

import re
import tomllib

import pytest
from packaging.requirements import Requirement
from packaging.utils import canonicalize_name
from packaging.version import Version

from stack.home import REPO

pytestmark = pytest.mark.unit

LOCK = (REPO / "requirements.txt").read_text()
PINNED = re.compile(r"^([A-Za-z0-9][A-Za-z0-9._-]*)==([^ ;\\]+)(.*)$", re.MULTILINE)


def direct() -> list[Requirement]:
    project = tomllib.loads((REPO / "pyproject.toml").read_text())["project"]
    extras = [line for lines in project["optional-dependencies"].values() for line in lines]
    return [Requirement(line) for line in (*project["dependencies"], *extras)]


def locked() -> dict[str, list[Version]]:
    versions: dict[str, list[Version]] = {}
    for name, version, _ in PINNED.findall(LOCK):
        versions.setdefault(canonicalize_name(name), []).append(Version(version))
    return versions


def test_every_direct_dependency_is_locked_at_a_version_it_allows() -> None:
    pins = locked()
    wrong = [
        str(wanted)
        for wanted in direct()
        if not pins.get(canonicalize_name(wanted.name))
        or not all(wanted.specifier.contains(pin, prereleases=True) for pin in pins[canonicalize_name(wanted.name)])
    ]
    assert wrong == []


def test_every_locked_package_is_hashed() -> None:
    entries = re.split(r"\n(?=[A-Za-z0-9])", LOCK.strip())
    bare = [entry.splitlines()[0] for entry in entries if PINNED.match(entry) and "--hash=sha256:" not in entry]
    assert bare == []
    assert len(locked()) > 100


def test_the_lock_names_no_host() -> None:
    assert [line for line in LOCK.splitlines() if "://" in line or line.startswith(("-i", "--index", "--extra"))] == []
