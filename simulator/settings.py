"""The options of the simulated exchange, from the environment; the command line goes first."""

from pathlib import Path
from typing import Literal

from pydantic import AwareDatetime, Field, field_validator
from pydantic_settings import BaseSettings, SettingsConfigDict

from market.log_level import LogLevel
from market.timeline import Timeline


class Settings(BaseSettings):
    """`CANDLESTREAM_SIMULATOR_*`, and what all processes share (`CANDLESTREAM_HOME`, `_METRICS_PORT`, `_LOG_LEVEL`)."""

    model_config = SettingsConfigDict(env_prefix="CANDLESTREAM_", populate_by_name=True, extra="ignore")

    home: Path = Path(".candlestream")
    # A container answers the others of its network; on a machine of its own it answers nobody else.
    host: str = Field("127.0.0.1", validation_alias="CANDLESTREAM_SIMULATOR_HOST")
    port: int = Field(8899, ge=1, le=65_535, validation_alias="CANDLESTREAM_SIMULATOR_PORT")
    seed: int = Field(1, validation_alias="CANDLESTREAM_SIMULATOR_SEED")
    hours: Literal["24/7", "XNYS"] = Field("24/7", validation_alias="CANDLESTREAM_SIMULATOR_HOURS")
    ticks_per_second: float = Field(2.0, gt=0, le=50, validation_alias="CANDLESTREAM_SIMULATOR_TICKS_PER_SECOND")
    # Of one client, all of its processes together; the platform's own limit is 60 by default.
    requests_per_minute: int = Field(600, ge=1, validation_alias="CANDLESTREAM_SIMULATOR_REQUESTS_PER_MINUTE")
    scenario: Path | None = Field(None, validation_alias="CANDLESTREAM_SIMULATOR_SCENARIO")
    # The exchange's clock: the machine's, or one that begins at a time of its own and may go faster.
    starts_at: AwareDatetime | None = Field(None, validation_alias="CANDLESTREAM_SIMULATOR_STARTS_AT")
    speed: float = Field(1.0, gt=0, le=100, validation_alias="CANDLESTREAM_SIMULATOR_SPEED")
    # Or windows of its days, in the machine's time (`market/timeline.py`); goes before the two.
    timeline: str | None = Field(None, validation_alias="CANDLESTREAM_SIMULATOR_TIMELINE")
    metrics_port: int | None = Field(None, ge=1, le=65_535)
    log_level: LogLevel = LogLevel.INFO

    @field_validator("timeline")
    @classmethod
    def _is_timeline(cls, value: str | None) -> str | None:
        if value is not None:
            Timeline.parse(value)
        return value
