import hashlib
import subprocess
from pathlib import Path

import pytest

from stack.errors import Exit, StackError
from stack.home import Home
from stack.java import jars
from stack.java.ivy import argument_file, proxy_options, reason
from stack.java.jars import CONFS, Jar, read_lock, wrong
from stack.java.runtime import Java, find_java

pytestmark = pytest.mark.unit


def digest(content: bytes) -> str:
    return hashlib.sha256(content).hexdigest()


def test_the_lock_pins_the_broker_and_a_matching_connector() -> None:
    coordinates = {(jar.conf, jar.name): jar.revision for jar in read_lock()}
    assert coordinates["kafka", "kafka_2.13"] == "4.3.1"
    assert coordinates["spark", "spark-sql-kafka-0-10_2.13"] == "4.2.0"
    assert {jar.conf for jar in read_lock()} == set(CONFS)


def test_every_jar_of_the_lock_has_a_sha256_and_no_host() -> None:
    assert all(len(bytes.fromhex(jar.sha256)) == 32 for jar in read_lock())
    assert "://" not in jars.LOCK.read_text()


def test_a_line_of_the_lock_reads_back_as_it_was_written(tmp_path: Path) -> None:
    jar = Jar("kafka", "org.example", "thing", "1.2", digest(b"x"))
    (tmp_path / "lock").write_text(f"# comment\n{jar.line()}\n")
    assert read_lock(tmp_path / "lock") == [jar]


def test_missing_and_altered_jars_are_found(tmp_path: Path) -> None:
    good, altered, missing = (
        Jar("kafka", "o", name, "1", digest(b"content")) for name in ("good", "altered", "missing")
    )
    (tmp_path / good.file_name).write_bytes(b"content")
    (tmp_path / altered.file_name).write_bytes(b"content and more")
    assert wrong(tmp_path, [good, altered, missing]) == ["altered-1.jar", "missing-1.jar"]


def test_a_download_that_is_not_what_the_lock_pins_is_refused_and_leaves_nothing(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    home = Home(tmp_path)
    home.jars.mkdir()

    def altered_mirror(java: Java, ivy_file: Path, conf: str, into: Path, *rest: object) -> str:
        into.mkdir()
        for jar in read_lock():
            (into / jar.file_name).write_bytes(b"something else")
        return ""

    monkeypatch.setattr(jars, "retrieve", altered_mirror)
    with pytest.raises(StackError, match=r"not what stack/java/jars\.lock pins") as caught:
        jars.ensure(home, Java(tmp_path, 17, is_bundled=False), "spark")
    assert caught.value.code == Exit.JARS_CHANGED
    assert [path.name for path in home.jars.iterdir()] == [".spark.lock"]


@pytest.mark.parametrize(
    ("variables", "options"),
    [
        ({}, []),
        ({"HTTPS_PROXY": "http://proxy:3128"}, ["-Dhttps.proxyHost=proxy", "-Dhttps.proxyPort=3128"]),
        ({"https_proxy": "proxy:3128"}, ["-Dhttps.proxyHost=proxy", "-Dhttps.proxyPort=3128"]),
        ({"HTTPS_PROXY": "http://me:s%40cret@proxy"}, ["-Dhttps.proxyUser=me", "-Dhttps.proxyPassword=s@cret"]),
        (
            {"HTTPS_PROXY": "http://proxy:1", "NO_PROXY": "localhost, .corp.example"},
            ["-Dhttp.nonProxyHosts=localhost|*.corp.example"],
        ),
    ],
)
def test_java_is_told_of_the_users_proxy(variables: dict[str, str], options: list[str]) -> None:
    told = proxy_options(variables)
    assert [option for option in options if option not in told] == []
    assert bool(told) == bool(variables)


def test_the_proxys_password_stands_in_a_private_file_that_java_reads_as_it_was_meant(tmp_path: Path) -> None:
    password = "a \\ b\"c 'd' #e"
    java = find_java(tmp_path / "wrapper")
    told = argument_file(tmp_path / "options", [f"-Dhttps.proxyPassword={password}"])
    assert password not in told
    assert (tmp_path / "options").stat().st_mode & 0o777 == 0o600
    command = [java.program, told, "-XshowSettings:properties", "-version"]
    said = subprocess.run(command, check=True, capture_output=True, text=True).stderr
    assert f"https.proxyPassword = {password}\n" in said


def test_an_untrusted_certificate_is_told_from_an_unreachable_repository() -> None:
    assert "SSL_CERT_FILE" in reason("SERVER ERROR: PKIX path building failed")
    assert "HTTPS_PROXY" in reason("\t\t[FAILED] x: UnknownHostException")
