"""`python docker/build_spark.py DIR`: the connector's jars and Spark's configuration, as the embedded platform has them."""

import sys
from pathlib import Path

from stack.errors import StackError
from stack.home import Home
from stack.java import jars
from stack.java.runtime import find_java
from stack.parts import spark

# Spark's scratch space lies in the container's own layer: a new container begins with none.
SCRATCH = Path("/tmp/spark")  # noqa: S108  (nobody else lives in the container)


def main(folder: Path) -> None:
    home = Home(folder)
    home.jars.mkdir(parents=True)
    java = find_java(home.java)
    if java.home == home.java:
        raise SystemExit("the image's Java has no jdk.incubator.vector, which Spark asks for")
    jars.ensure(home, java, "spark")
    spark.render_conf(home.conf, jars.paths(home, "spark"), SCRATCH, {})


if __name__ == "__main__":
    try:
        main(Path(sys.argv[1]))
    except StackError as error:
        raise SystemExit(error.sentence) from error
