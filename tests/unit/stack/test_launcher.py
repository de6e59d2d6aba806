"""The launcher: what a person without the right Python, network or disk is told."""

import ast
import shutil
import subprocess
import sys
from importlib.machinery import SourceFileLoader
from importlib.util import module_from_spec, spec_from_loader
from pathlib import Path
from types import ModuleType, SimpleNamespace

import pytest

from stack.home import REPO

pytestmark = pytest.mark.unit


@pytest.fixture
def launcher() -> ModuleType:
    spec = spec_from_loader("launcher", SourceFileLoader("launcher", str(REPO / "candlestream")))
    assert spec is not None
    assert spec.loader is not None
    module = module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


@pytest.mark.parametrize(
    ("text", "code", "remedy"),
    [
        ("error: Hash mismatch for `uv==1`", 14, "git checkout requirements.txt"),
        (
            "ERROR: THESE PACKAGES DO NOT MATCH THE HASHES FROM THE REQUIREMENTS FILE",
            14,
            "git checkout requirements.txt",
        ),
        ("cause: Because there is no version of tenacity==99 and you require it", 14, "git checkout requirements.txt"),
        ("OSError: [Errno 28] No space left on device", 13, "free 4 GB"),
        ("error: Failed to fetch: x\n  Caused by: dns error", 12, "PIP_INDEX_URL"),
        ("ERROR: No matching distribution found for uv==0.13.8", 12, "HTTPS_PROXY"),
        ("Caused by: invalid peer certificate: UnknownIssuer", 12, "SSL_CERT_FILE"),
        ("something nobody thought of", 15, "install.log"),
    ],
)
def test_a_failed_installation_is_one_sentence_with_a_remedy(
    launcher: ModuleType, capsys: pytest.CaptureFixture[str], text: str, code: int, remedy: str
) -> None:
    with pytest.raises(SystemExit) as ended:
        launcher.explain(text, f" (details in {launcher.LOG})")
    said = capsys.readouterr().err
    assert ended.value.code == code
    assert remedy in said
    assert len(said.strip().splitlines()) == 1


def test_uv_is_taken_from_the_lock_with_all_its_hashes(launcher: ModuleType) -> None:
    lines = launcher.locked("uv").splitlines()
    assert lines[0].startswith("uv==")
    assert all(line.strip().startswith("--hash=sha256:") for line in lines[1:])
    assert len(lines) > 3


def test_a_python_without_pip_and_ensurepip_is_told_the_package(
    launcher: ModuleType, monkeypatch: pytest.MonkeyPatch, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(launcher, "PYTHON", str(tmp_path / "none"))
    monkeypatch.setattr(launcher, "VENV", str(tmp_path / "venv"))
    monkeypatch.setattr(launcher, "has", lambda module: False)
    with pytest.raises(SystemExit) as ended:
        launcher.make_venv()
    assert ended.value.code == 11
    assert "-venv" in capsys.readouterr().err
    assert list(tmp_path.iterdir()) == []


def test_too_little_disk_is_told_before_anything_is_made(
    launcher: ModuleType, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(launcher, "NEEDED_BYTES", 1 << 60)
    with pytest.raises(SystemExit) as ended:
        launcher.check_disk()
    assert ended.value.code == 13
    assert "GB are needed" in capsys.readouterr().err


def test_a_missing_lock_is_told(tmp_path: Path) -> None:
    shutil.copy(REPO / "candlestream", tmp_path / "candlestream")
    said = subprocess.run([sys.executable, str(tmp_path / "candlestream")], check=False, capture_output=True, text=True)
    assert said.returncode == 14
    assert "git checkout requirements.txt" in said.stderr


def test_what_the_user_told_pip_is_told_to_uv(launcher: ModuleType, monkeypatch: pytest.MonkeyPatch) -> None:
    told = {"index-url": "https://mirror.example/simple", "cert": "/etc/corp.pem", "proxy": "http://proxy:3128"}
    monkeypatch.setattr(launcher, "pip_configuration", lambda: told)
    for name in ("UV_DEFAULT_INDEX", "SSL_CERT_FILE", "HTTPS_PROXY"):
        monkeypatch.delenv(name, raising=False)
    variables = launcher.uv_environment()
    assert variables["UV_DEFAULT_INDEX"] == "https://mirror.example/simple"
    assert variables["SSL_CERT_FILE"] == "/etc/corp.pem"
    assert variables["HTTPS_PROXY"] == "http://proxy:3128"


@pytest.mark.parametrize(
    ("version", "suited"), [((3, 10), False), ((3, 11), True), ((3, 13, 1), True), ((3, 14), False), ((4, 0), False)]
)
def test_python_3_11_to_3_13_are_suited(launcher: ModuleType, version: tuple[int, ...], suited: bool) -> None:
    assert launcher.is_suited(version) is suited


def test_an_old_python_still_parses_the_launcher() -> None:
    """No syntax newer than Python 3.4: no f-strings, no annotations, no walrus."""
    tree = ast.parse((REPO / "candlestream").read_text(), feature_version=(3, 4))
    assert not any(isinstance(node, ast.JoinedStr) for node in ast.walk(tree))


def test_an_old_python_without_devnull_looks_for_a_suited_one(
    launcher: ModuleType, monkeypatch: pytest.MonkeyPatch
) -> None:
    """As Python 2.7 is, whose subprocess has `call` but neither `run` nor DEVNULL."""
    monkeypatch.setitem(sys.modules, "subprocess", SimpleNamespace(call=subprocess.call))
    assert launcher.answers(sys.executable, sys.version_info.minor) is True
    assert launcher.answers(sys.executable, sys.version_info.minor + 1) is False
