"""The Spark jobs: the stream that turns events into bars and indicators in PostgreSQL.

`spark-submit` puts pyspark on the module path once more, as a zip before the package that the zip is in; what is imported from a
zip is compiled anew in every process, for a second each. So the package is taken.
"""

import sys
from pathlib import Path


def without_zips(path: list[str]) -> list[str]:
    """A module path without the zips (pyspark's own, and py4j's) that a pyspark on the same path brings with it."""
    folders = {Path(entry, "pyspark", "python", "lib") for entry in path}
    return [entry for entry in path if Path(entry).parent not in folders]


sys.path[:] = without_zips(sys.path)
