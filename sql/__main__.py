"""`python -m sql bootstrap|upgrade`: roles and databases by the superuser, then the schema by the migrator.

Exit codes: 0 done, 1 PostgreSQL refused or is away, 2 wrong usage or configuration.
"""

import sys
from pathlib import Path

import psycopg2
from alembic import command
from alembic.config import Config
from pydantic import ValidationError
from sqlalchemy.exc import DBAPIError

from sql.bootstrap import BadPasswordFile, bootstrap
from sql.settings import AdminSettings, MigratorSettings


def upgrade(migrator_url: str) -> None:
    """The schema at its newest revision; quick and harmless when it is there already."""
    config = Config()
    config.set_main_option("script_location", str(Path(__file__).parent))
    config.attributes["url"] = migrator_url
    command.upgrade(config, "head")


def main(arguments: list[str]) -> int:
    """Runs a verb; returns the exit code. What is wrong is one sentence on stderr."""
    try:
        match arguments:
            case ["bootstrap"]:
                settings = AdminSettings()  # type: ignore[call-arg]  # the environment has it
                bootstrap(settings.admin_url, settings.migrator_url, settings.pgpass)
            case ["upgrade"]:
                upgrade(MigratorSettings().migrator_url)  # type: ignore[call-arg]
            case _:
                return refused("usage: python -m sql bootstrap|upgrade", 2)
    except ValidationError as error:
        return refused(f"set {', '.join(variable(fault['loc'][0]) for fault in error.errors())}", 2)
    except BadPasswordFile as error:
        return refused(str(error), 2)
    except (psycopg2.Error, DBAPIError) as error:
        said = error.orig if isinstance(error, DBAPIError) else error
        return refused(" ".join(str(said).split()), 1)
    return 0


def variable(field: object) -> str:
    """The environment's name of a setting."""
    name = str(field)
    return name if name.isupper() else f"CANDLESTREAM_{name}".upper()


def refused(sentence: str, exit_code: int) -> int:
    print(f"sql: {sentence}", file=sys.stderr)
    return exit_code


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
