"""Where the database is. Passwords are libpq's business (PGPASSFILE) and stand in no URL."""

from pydantic_settings import BaseSettings, SettingsConfigDict


class MigratorSettings(BaseSettings):
    model_config = SettingsConfigDict(env_prefix="CANDLESTREAM_", env_file=".env", extra="ignore")

    migrator_url: str


class AdminSettings(BaseSettings):
    model_config = SettingsConfigDict(env_prefix="CANDLESTREAM_", env_file=".env", extra="ignore")

    admin_url: str
    migrator_url: str
