"""Spark's Python daemon with fetch and scan imported: its workers are forks, which share what is imported and need not do it again.

`spark.python.daemon.module` names it.
"""

import gc

from pyspark.daemon import manager

from spark_jobs.scan import fetch  # noqa: F401

if __name__ == "__main__":
    gc.collect()
    gc.freeze()
    manager()
