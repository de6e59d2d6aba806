"""What the dashboard is told by its environment. The password is in the file that `PGPASSFILE` names, never in the URL."""

from pydantic import Field
from pydantic_settings import BaseSettings, SettingsConfigDict

from dashboard.deployment import Deployment
from market.log_level import LogLevel


class DashboardSettings(BaseSettings):
    model_config = SettingsConfigDict(env_prefix="CANDLESTREAM_")

    database_url: str
    log_level: LogLevel = LogLevel.INFO
    refresh_s: float = Field(default=1.0, gt=0)
    deployment: Deployment = Deployment.NATIVE
