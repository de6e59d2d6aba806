from collections.abc import Callable, Iterator

import pytest

from tests.embedded import Database
from tests.stream import rig as rigs
from tests.stream.rig import Rig


@pytest.fixture
def stream(postgres: Database, kafka: str, topics: Callable[[str], str], spark_env: dict[str, str]) -> Iterator[Rig]:
    """A stream that is not started yet, with AAPL and MSFT trading around the clock."""
    with rigs.rig(postgres, kafka, topics("stream"), spark_env) as under_test:
        for symbol in ("AAPL", "MSFT"):
            under_test.add_instrument(symbol)
        yield under_test
