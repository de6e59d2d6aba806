"""Where the database is. Passwords are libpq's business (PGPASSFILE) and stand in no URL."""

from pathlib import Path

from pydantic import Field
from pydantic_settings import BaseSettings, SettingsConfigDict


class MigratorSettings(BaseSettings):
    model_config = SettingsConfigDict(env_prefix="CANDLESTREAM_")

    migrator_url: str


class AdminSettings(MigratorSettings):
    """A superuser's, who also gives the roles their passwords: those of the file that libpq reads."""

    admin_url: str
    pgpass: Path = Field(validation_alias="PGPASSFILE")
