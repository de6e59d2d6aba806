"""What a start of the stream loads, done on nothing: neither a broker nor a database is there.

`spark-submit spark_jobs/rehearsal.py`; the classes that are loaded meanwhile are written down (`stack/java/classes.py`).
Exit code 0: a batch went through, and Kafka's client was used.
"""

import sys
import tempfile
import threading
from pathlib import Path

from pyspark.errors import StreamingQueryException
from pyspark.sql import DataFrame
from pyspark.sql.streaming import StreamingQuery

from spark_jobs.query import UNLOGGED
from spark_jobs.start.session import Session

LIMIT_S = 120
# A port that nobody serves, and how long Kafka's client tries it.
NOBODY = {
    "kafka.bootstrap.servers": "127.0.0.1:9",
    "subscribe": "nothing",
    "kafka.request.timeout.ms": "1000",
    "kafka.default.api.timeout.ms": "2000",
}


def main() -> int:
    with Session("candlestream rehearsal") as session, tempfile.TemporaryDirectory() as folder:
        read = session.spark.readStream
        handled, asked = threading.Event(), False
        ticking = begin(
            read.format("rate-micro-batch").option("rowsPerBatch", 1).load(), Path(folder) / "rate", handled
        )
        kafka = begin(read.format("kafka").options(**NOBODY).load(), Path(folder) / "kafka", threading.Event())
        try:
            kafka.awaitTermination(LIMIT_S)
        except StreamingQueryException:
            asked = True
        was_handled = handled.wait(LIMIT_S)
        ticking.stop()
    return 0 if asked and was_handled else 1


def begin(rows: DataFrame, checkpoint: Path, handled: threading.Event) -> StreamingQuery:
    """A query as the stream's, which only says that it had a batch."""
    writer = rows.writeStream.foreachBatch(lambda _rows, _number: handled.set())
    return writer.options(checkpointLocation=checkpoint.as_uri(), **UNLOGGED).start()


if __name__ == "__main__":
    sys.exit(main())
