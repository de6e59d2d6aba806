"""What `spark-submit` needs around the job: its configuration folder and environment."""

import re
import sys
from collections.abc import Mapping
from pathlib import Path

from stack.home import REPO
from stack.java.ivy import pyspark_folder
from stack.java.runtime import Java

TEMPLATE = REPO / "spark_jobs" / "conf"
JOB = REPO / "spark_jobs" / "stream.py"
JAVA_OPTIONS = re.escape("spark.driver.extraJavaOptions")


def render_conf(
    conf_dir: Path, jars: list[Path], scratch: Path, extra: Mapping[str, str], java_options: str = ""
) -> None:
    """Copies the template's files and adds what only this machine knows: where the jars and the scratch space are.

    `java_options` come behind the template's own.
    """
    conf_dir.mkdir(parents=True, exist_ok=True)
    scratch.mkdir(parents=True, exist_ok=True)
    for source in TEMPLATE.iterdir():
        (conf_dir / source.name).write_text(source.read_text())
    values = {
        "spark.jars": ",".join(str(jar) for jar in jars),
        "spark.local.dir": str(scratch),
        "spark.sql.warehouse.dir": (scratch / "warehouse").as_uri(),
        **extra,
    }
    defaults = conf_dir / "spark-defaults.conf"
    template = defaults.read_text()
    if java_options:
        template = re.sub(rf"^({JAVA_OPTIONS}\s.*)$", lambda line: f"{line[1]} {java_options}", template, flags=re.M)
    added = "".join(f"{name} {value}\n" for name, value in values.items())
    defaults.write_text(template.rstrip() + "\n\n# Added by stack/parts/spark.py\n" + added)


def environment(java: Java, conf_dir: Path) -> dict[str, str]:
    """The variables `spark-submit` and its Python workers read."""
    return {
        "JAVA_HOME": str(java.home),
        "SPARK_HOME": str(pyspark_folder()),
        "SPARK_CONF_DIR": str(conf_dir),
        "SPARK_LOCAL_IP": "127.0.0.1",
        # The small JVM that only writes the big one's command line.
        "SPARK_LAUNCHER_OPTS": "-XX:TieredStopAtLevel=1 -XX:+UseSerialGC",
        "PYSPARK_PYTHON": sys.executable,
        "PYSPARK_DRIVER_PYTHON": sys.executable,
    }
