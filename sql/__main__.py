"""`python -m sql bootstrap|upgrade`: roles and databases by the superuser, then the schema by the migrator."""

import sys
from pathlib import Path

from alembic import command
from alembic.config import Config
from pydantic import ValidationError

from sql.bootstrap import bootstrap
from sql.settings import AdminSettings, MigratorSettings


def upgrade(migrator_url: str) -> None:
    """The schema at its newest revision; quick and harmless when it is there already."""
    config = Config()
    config.set_main_option("script_location", str(Path(__file__).parent))
    config.attributes["url"] = migrator_url
    command.upgrade(config, "head")


def main(verb: str) -> None:
    if verb == "bootstrap":
        settings = AdminSettings()  # type: ignore[call-arg]
        bootstrap(settings.admin_url, settings.migrator_url)
    elif verb == "upgrade":
        upgrade(MigratorSettings().migrator_url)  # type: ignore[call-arg]
    else:
        sys.exit("usage: python -m sql bootstrap|upgrade")


if __name__ == "__main__":
    try:
        main(*sys.argv[1:2] or [""])
    except ValidationError as error:
        fields = ", ".join(f"CANDLESTREAM_{e['loc'][0]}".upper() for e in error.errors())
        print(f"sql: set {fields}", file=sys.stderr)
        sys.exit(2)
