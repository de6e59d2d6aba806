import socket

import pytest

from stack.errors import Exit, StackError
from stack.ports import HOST, PREFERRED, SEARCH, Claims, choose

pytestmark = pytest.mark.unit


def listener(port: int = 0) -> socket.socket:
    held = socket.socket()
    held.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    held.bind((HOST, port))
    held.listen(1)
    return held


@pytest.fixture
def low_ports(monkeypatch: pytest.MonkeyPatch) -> int:
    """Three neighbouring ports that are free now, as the preferred ones of `kafka`."""
    for base in range(20_000, 30_000, 7):
        try:
            held = [listener(base + n) for n in range(3)]
        except OSError:
            continue
        for one in held:
            one.close()
        monkeypatch.setitem(PREFERRED, "kafka", base)
        return base
    raise AssertionError("no three free ports in a row")


def test_a_free_preferred_port_is_taken(low_ports: int) -> None:
    assert choose(["kafka"], {}, Claims()) == {"kafka": low_ports}


def test_a_taken_port_is_moved_to_the_next_free_one(low_ports: int) -> None:
    with listener(low_ports):
        assert choose(["kafka"], {}, Claims()) == {"kafka": low_ports + 1}


def test_a_kept_port_is_kept_while_it_is_free(low_ports: int) -> None:
    assert choose(["kafka"], {"kafka": low_ports + 2}, Claims()) == {"kafka": low_ports + 2}


def test_two_platforms_that_start_at_once_choose_different_ports(low_ports: int) -> None:
    first, second = Claims(), Claims()
    assert choose(["kafka"], {}, first) == {"kafka": low_ports}
    assert choose(["kafka"], {}, second) == {"kafka": low_ports + 1}
    first.release()
    second.release()
    assert choose(["kafka"], {}, Claims()) == {"kafka": low_ports}


def test_a_claimed_port_is_free_for_the_service_it_is_claimed_for(low_ports: int) -> None:
    claims = Claims()
    choose(["kafka"], {}, claims)
    listener(low_ports).close()
    claims.release()


def test_no_free_port_is_an_error_that_names_the_range(low_ports: int) -> None:
    class Full(Claims):
        def take(self, port: int) -> bool:
            return False

    with pytest.raises(StackError, match=f"between {low_ports} and {low_ports + SEARCH - 1}") as caught:
        choose(["kafka"], {}, Full())
    assert caught.value.code == Exit.PORT
