"""What the dashboard is told by its environment. The password is in the file that `PGPASSFILE` names, never in the URL."""

from typing import Literal

from pydantic import Field
from pydantic_settings import BaseSettings, SettingsConfigDict


class DashboardSettings(BaseSettings):
    model_config = SettingsConfigDict(env_prefix="CANDLESTREAM_")

    database_url: str
    log_level: Literal["DEBUG", "INFO", "WARNING", "ERROR"] = "INFO"
    refresh_s: float = Field(default=1.0, gt=0)
