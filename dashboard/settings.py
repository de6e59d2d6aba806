"""What the dashboard is told by its environment. The password is in the file that `PGPASSFILE` names, never in the URL."""

from pydantic_settings import BaseSettings, SettingsConfigDict


class DashboardSettings(BaseSettings):
    model_config = SettingsConfigDict(env_prefix="CANDLESTREAM_")

    database_url: str
    log_level: str = "INFO"
    refresh_s: float = 1.0
