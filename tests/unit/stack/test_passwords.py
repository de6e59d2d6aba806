import base64
from pathlib import Path

import pytest

from stack.errors import StackError
from stack.home import Home
from stack.passwords import DATABASE_ROLES, FERNET_KEY, reveal, secret, write_pgpass

pytestmark = pytest.mark.unit


@pytest.fixture
def home(tmp_path: Path) -> Home:
    home = Home(tmp_path / "home")
    home.prepare()
    return home


def test_a_secret_is_made_once_and_kept(home: Home) -> None:
    assert secret(home, "one") == secret(home, "one")
    assert secret(home, "one") != secret(home, "two")
    assert len(secret(home, "one")) >= 32


def test_only_the_owner_can_read_secrets(home: Home) -> None:
    secret(home, "one")
    write_pgpass(home, 5432)
    assert home.secrets.stat().st_mode & 0o777 == 0o700
    assert {path.name: path.stat().st_mode & 0o777 for path in home.secrets.iterdir()} == {
        path.name: 0o600 for path in home.secrets.iterdir()
    }


def test_the_fernet_key_is_what_fernet_wants(home: Home) -> None:
    assert len(base64.urlsafe_b64decode(secret(home, FERNET_KEY))) == 32


def test_pgpass_names_every_role_with_its_port(home: Home) -> None:
    write_pgpass(home, 6543)
    fields = [line.split(":", 4) for line in home.pgpass.read_text().splitlines()]
    assert [(host, port, database, role) for host, port, database, role, _ in fields] == [
        ("127.0.0.1", "6543", "*", role) for role in DATABASE_ROLES
    ]
    assert [password for *_, password in fields] == [secret(home, role) for role in DATABASE_ROLES]


def test_a_password_is_shown_by_its_short_name(home: Home) -> None:
    value = secret(home, "candlestream_reader")
    assert reveal(home, "reader") == value


@pytest.mark.parametrize("name", ["nobody", "", "..", "../state.json", "/etc/passwd"])
def test_what_is_no_password_is_not_shown(home: Home, name: str) -> None:
    home.state_file.write_text("{}")
    with pytest.raises(StackError, match="no password called"):
        reveal(home, name)
