"""Roles and databases, made once by a superuser; harmless when made already."""

from pathlib import Path

import psycopg2
from psycopg2 import sql
from psycopg2.extensions import encrypt_password, make_dsn, parse_dsn

ROLES = ("candlestream_migrator", "candlestream_writer", "candlestream_reader", "candlestream_airflow")
AIRFLOW_DATABASE = "airflow"


class BadPasswordFile(Exception):
    """`str()` is a sentence that names the file and what it lacks, and no password."""


def passwords(pgpass: Path) -> dict[str, str]:
    """Role → password, from a libpq password file (host:port:database:user:password, a line each). Raises `BadPasswordFile`."""
    try:
        lines = pgpass.read_text().splitlines()
    except OSError as error:
        raise BadPasswordFile(f"PGPASSFILE names {pgpass}, which cannot be read: {error.strerror}") from error
    found = {}
    for number, line in enumerate(lines, start=1):
        if line and not line.startswith("#"):
            fields = line.split(":", 4)
            if len(fields) != 5:
                raise BadPasswordFile(f"line {number} of {pgpass} is not host:port:database:user:password")
            found[fields[3]] = fields[4]
    missing = [role for role in ROLES if role not in found]
    if missing:
        raise BadPasswordFile(f"no password for {', '.join(missing)} in {pgpass}")
    return found


def bootstrap(admin_url: str, migrator_url: str, pgpass: Path) -> None:
    """Roles with their passwords, the platform's database (the migrator's) and Airflow's own, each with its owner."""
    secrets = passwords(pgpass)
    connection = psycopg2.connect(admin_url)
    connection.autocommit = True  # CREATE DATABASE runs in no transaction
    with connection.cursor() as cursor:
        for role in ROLES:
            cursor.execute("SELECT 1 FROM pg_roles WHERE rolname = %s", (role,))
            verb = sql.SQL("ALTER ROLE" if cursor.fetchone() else "CREATE ROLE")
            # Hashed on this side: a server that logs a failing statement must not log a password.
            hashed = encrypt_password(secrets[role], role, connection, "scram-sha-256")
            cursor.execute(sql.SQL("{} {} LOGIN PASSWORD {}").format(verb, sql.Identifier(role), sql.Literal(hashed)))
        database = parse_dsn(migrator_url)["dbname"]
        for name, owner in ((database, "candlestream_migrator"), (AIRFLOW_DATABASE, "candlestream_airflow")):
            cursor.execute("SELECT 1 FROM pg_database WHERE datname = %s", (name,))
            if not cursor.fetchone():
                statement = sql.SQL(
                    "CREATE DATABASE {} OWNER {} ENCODING 'UTF8' LC_COLLATE 'C' LC_CTYPE 'C' TEMPLATE template0"
                )
                cursor.execute(statement.format(sql.Identifier(name), sql.Identifier(owner)))
        # Its owner alone; the platform's database is for more roles, below.
        cursor.execute(sql.SQL("REVOKE ALL ON DATABASE {} FROM PUBLIC").format(sql.Identifier(AIRFLOW_DATABASE)))
    connection.close()
    harden(make_dsn(admin_url, dbname=database), database)


def harden(admin_dsn: str, database: str) -> None:
    """Only the platform's roles may connect, all of them speak UTC, and a reader's runaway query ends by itself."""
    connection = psycopg2.connect(admin_dsn)
    connection.autocommit = True
    with connection.cursor() as cursor:
        name = sql.Identifier(database)
        cursor.execute(sql.SQL("REVOKE ALL ON DATABASE {} FROM PUBLIC").format(name))
        for role in ROLES:
            cursor.execute(sql.SQL("GRANT CONNECT, TEMPORARY ON DATABASE {} TO {}").format(name, sql.Identifier(role)))
        cursor.execute(sql.SQL("GRANT CREATE ON DATABASE {} TO candlestream_migrator").format(name))
        cursor.execute(sql.SQL("ALTER DATABASE {} SET timezone TO 'UTC'").format(name))
        cursor.execute("ALTER ROLE candlestream_reader SET statement_timeout TO '15s'")
        cursor.execute("ALTER ROLE candlestream_reader SET default_transaction_read_only TO on")
    connection.close()
