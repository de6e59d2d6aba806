import os
import signal
import sys
import tempfile
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from stack.ports import HOST, free_port
from tests.embedded import REPO, Database, running, wait_until
from tests.stream.ingestion.rig import Ingestion


@pytest.fixture(scope="session")
def exchange() -> Iterator[dict[str, str]]:
    """The simulated exchange: the two variables that point ingestion to it."""
    folder = Path(tempfile.mkdtemp(prefix="candlestream-exchange-"))
    port = free_port()
    command = [sys.executable, "-m", "simulator", "serve", "--port", str(port), "--home", str(folder)]
    log, certificate = folder / "simulator.log", folder / "simulator" / "ca.pem"
    environment = os.environ | {"PYTHONPATH": str(REPO)}
    with running(command, log, signal.SIGTERM, environment) as process:
        wait_until(lambda: "serving" in log.read_text(), process, log)
        yield {"CANDLESTREAM_FEED_PROXY": f"http://{HOST}:{port}", "CANDLESTREAM_FEED_CA": str(certificate)}


@pytest.fixture
def ingestion(
    postgres: Database, kafka: str, topics: Callable[[str], str], exchange: dict[str, str], tmp_path: Path
) -> Ingestion:
    prefix = topics("ingestion")
    environment = {name: value for name, value in os.environ.items() if not name.startswith("CANDLESTREAM_")}
    environment |= exchange | {
        "CANDLESTREAM_HOME": str(tmp_path),
        "CANDLESTREAM_SOURCE": "simulator",
        "CANDLESTREAM_DATABASE_URL": postgres.writer,
        "CANDLESTREAM_KAFKA_BOOTSTRAP": kafka,
        "CANDLESTREAM_TOPIC_PREFIX": prefix,
        "CANDLESTREAM_SYMBOLS": "AAPL,MSFT",
        "PGPASSFILE": str(postgres.pgpass),
    }
    return Ingestion(environment, postgres, kafka, prefix, tmp_path)
