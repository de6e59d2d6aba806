"""`doctor --yahoo`'s look at the wire, here at the simulated exchange's."""

import pytest

from tests.stream.ingestion.rig import Ingestion

pytestmark = pytest.mark.stream


def test_a_wire_that_is_as_expected_is_said_to_be_so(ingestion: Ingestion) -> None:
    exit_code, said, log = ingestion.run("wire")
    # The simulated exchange trades around the clock here: its calendar is all that differs from Yahoo's.
    lines = [line.split()[0] for line in said.splitlines()]
    assert lines == ["DIFFERS", "ok", "ok", "ok", "ok", "ok"], said + log
    assert exit_code == 1
    assert "BTC-USD" in said.splitlines()[-1]


def test_a_provider_that_is_away_is_a_finding_a_line(ingestion: Ingestion) -> None:
    exit_code, said, log = ingestion.run("wire", CANDLESTREAM_FEED_PROXY="http://127.0.0.1:9")
    # Nobody was asked, so nothing was seen to differ.
    assert exit_code == 12
    assert [line[:9] for line in said.splitlines()] == ["NOT ASKED"] * 6
    assert "Traceback" not in log
