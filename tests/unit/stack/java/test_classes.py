from pathlib import Path

import pytest

from stack.errors import StackError
from stack.home import Home
from stack.java import classes
from stack.java.runtime import Java
from stack.parts import spark


@pytest.fixture
def java(tmp_path: Path) -> Java:
    """A runtime that fails whatever it is asked."""
    (tmp_path / "java" / "lib").mkdir(parents=True)
    (tmp_path / "java" / "lib" / "modules").write_text("the runtime's own classes")
    program = tmp_path / "java" / "bin" / "java"
    program.parent.mkdir()
    program.write_text("#!/bin/sh\necho it is broken >&2\nexit 3\n")
    program.chmod(0o755)
    return Java(tmp_path / "java", 17, is_bundled=False)


@pytest.fixture
def pyspark(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    folder = tmp_path / "pyspark"
    (folder / "jars").mkdir(parents=True)
    (folder / "jars" / "spark-core.jar").write_text("classes")
    monkeypatch.setattr(classes, "pyspark_folder", lambda: folder)
    return folder


def test_another_spark_or_another_java_has_another_archive(java: Java, pyspark: Path) -> None:
    first = classes.archive_of(java)
    assert first == classes.archive_of(java)
    (pyspark / "jars" / "spark-sql.jar").write_text("more")
    second = classes.archive_of(java)
    (java.home / "lib" / "modules").write_text("another runtime's")
    assert len({first, second, classes.archive_of(java)}) == 3


def test_a_runtime_that_cannot_be_told_from_others_starts_without_an_archive(java: Java, pyspark: Path) -> None:
    (java.home / "lib" / "modules").unlink()
    assert classes.options(java) == ""
    assert not classes.make(Home(pyspark.parent / "home"), java)


def test_the_drivers_options_stand_behind_the_templates(tmp_path: Path, java: Java, pyspark: Path) -> None:
    spark.render_conf(tmp_path / "conf", [], tmp_path / "scratch", {}, classes.options(java))
    lines = (tmp_path / "conf" / "spark-defaults.conf").read_text().splitlines()
    (options,) = [line for line in lines if line.startswith("spark.driver.extraJavaOptions")]
    assert options.split()[1].startswith("-XX:")
    assert options.endswith(f'-cp "{pyspark}/jars/*" -XX:SharedArchiveFile="{classes.archive_of(java)}"')


def test_what_cannot_be_made_is_said_and_leaves_nothing_half_made(
    tmp_path: Path, java: Java, pyspark: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    folder = tmp_path / "classes"
    (folder / "making-of-one-that-was-killed").mkdir(parents=True)
    monkeypatch.setattr(classes, "rehearse", lambda *_: tmp_path / "loaded")
    with pytest.raises(StackError, match=r"no archive of Spark's classes: .*java gave 3: it is broken"):
        classes.make(Home(tmp_path / "home"), java, folder)
    assert [path.name for path in folder.iterdir()] == ["making.lock"]


def test_two_do_not_make_it_at_the_same_time(
    tmp_path: Path, java: Java, pyspark: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    folder = tmp_path / "classes"
    meanwhile: list[bool] = []

    def rehearse(*_: object) -> Path:
        meanwhile.append(classes.make(Home(tmp_path / "home"), java, folder))
        return tmp_path / "loaded"

    def dump(*_: object) -> Path:
        made = tmp_path / "made"
        made.write_text("an archive")
        return made

    monkeypatch.setattr(classes, "rehearse", rehearse)
    monkeypatch.setattr(classes, "dump", dump)
    (folder).mkdir()
    (folder / "spark-of-another-java.jsa").write_text("old")
    assert classes.make(Home(tmp_path / "home"), java, folder)
    assert meanwhile == [False]
    assert list(folder.glob("*.jsa")) == [classes.archive_of(java, folder)]
    assert not classes.make(Home(tmp_path / "home"), java, folder)
