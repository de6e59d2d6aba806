"""Generated passwords and keys: a file each in `secrets/` (0700, files 0600), made once, never logged."""

import base64
import secrets

from stack.errors import Exit, StackError
from stack.files import write_atomic
from stack.home import Home

ADMIN_ROLE = "postgres"
MIGRATOR, WRITER, READER, AIRFLOW = (
    "candlestream_migrator",
    "candlestream_writer",
    "candlestream_reader",
    "candlestream_airflow",
)
DATABASE_ROLES = (ADMIN_ROLE, MIGRATOR, WRITER, READER, AIRFLOW)
AIRFLOW_USER = "airflow_admin"
FERNET_KEY = "airflow_fernet_key"

# What `candlestream password NAME` takes beside the roles' own names.
SHORT_NAMES = {
    "airflow": AIRFLOW_USER,
    "postgres": ADMIN_ROLE,
    "migrator": MIGRATOR,
    "writer": WRITER,
    "reader": READER,
}


def secret(home: Home, name: str) -> str:
    """The secret of this name, generated at first use."""
    path = home.secrets / name
    if not path.exists():
        # Fernet wants exactly 32 bytes in URL-safe base64, with padding.
        value = (
            base64.urlsafe_b64encode(secrets.token_bytes(32)).decode()
            if name == FERNET_KEY
            else secrets.token_urlsafe(24)
        )
        write_atomic(path, value + "\n", 0o600)
    return path.read_text().strip()


def write_pgpass(home: Home, port: int) -> None:
    """libpq's password file for all roles; rewritten when the port moves."""
    lines = [f"127.0.0.1:{port}:*:{role}:{secret(home, role)}" for role in DATABASE_ROLES]
    write_atomic(home.pgpass, "\n".join(lines) + "\n", 0o600)


def reveal(home: Home, name: str) -> str:
    """The password called `name`, for a person. Raises `StackError` with the names there are."""
    path = home.secrets / SHORT_NAMES.get(name, name)
    if path.name in ("", ".", "..") or path.parent != home.secrets or not path.is_file():
        known = ", ".join(sorted(SHORT_NAMES))
        raise StackError(
            Exit.USAGE, f"no password called {name!r} in {home.secrets}: there are {known} (made by the first `up`)"
        )
    return path.read_text().strip()
