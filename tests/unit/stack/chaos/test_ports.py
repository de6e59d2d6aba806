"""Where a killed server is started again."""

from pathlib import Path

import pytest

from stack.chaos.parts import claim_ports
from stack.ports import Claims

pytestmark = pytest.mark.unit


def test_ports_are_claimed_below_those_that_clients_are_given() -> None:
    first = int(Path("/proc/sys/net/ipv4/ip_local_port_range").read_text().split()[0])
    claims = Claims()
    chosen = claim_ports(5, claims)
    assert len(set(chosen)) == 5
    assert max(chosen) < first
    other = Claims()
    assert not any(other.take(port) for port in chosen)
    claims.release()
    assert other.take(chosen[0])
    other.release()
