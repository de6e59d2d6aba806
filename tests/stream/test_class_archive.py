import os
import subprocess
from pathlib import Path

import pytest

from stack.java import classes, jars
from stack.java.runtime import Java
from tests.embedded import jar_home
from tests.stream.rig import until

pytestmark = [pytest.mark.stream, pytest.mark.timeout(600)]


def test_a_start_takes_sparks_classes_from_the_archive(java: Java, spark_env: dict[str, str], tmp_path: Path) -> None:
    jars.ensure(jar_home(), java, "spark")
    archive = classes.archive_of(java)
    assert archive is not None
    # Who runs the tests may be at it already.
    until(lambda: classes.make(jar_home(), java) or archive.exists(), "the archive", 500)
    log = tmp_path / "classes.log"
    options = {"JDK_JAVA_OPTIONS": f"-Xlog:class+load:file={log}"}
    # The session's configuration was written before there was an archive.
    subprocess.run(
        ["spark-submit", "--version"],
        env=os.environ | spark_env | options,
        check=True,
        capture_output=True,
        timeout=120,
    )
    (loaded,) = [
        line for line in log.read_text().splitlines() if " org.apache.spark.deploy.SparkSubmit source: " in line
    ]
    assert loaded.endswith("source: shared objects file"), loaded
